"""The tables of a record in each format that is read: their columns, and the SQL that reads and writes them.

Format 3, which is written, has a column for whatever tells series apart. Format 2 has it as JSON, and a trial has no
members. Format 1 has no checksums either, and no numbers of its own for rows. All of them give the rows of format 3,
but for those of series, which `series_row` makes of older ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from monitors.model import MetricSpec, Sample

VERSION = 3
"""Of what is written."""
READABLE = (1, 2, 3)

_SCHEMA_2 = """
CREATE TABLE meta(id INTEGER PRIMARY KEY, key TEXT NOT NULL, value TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE trial(id INTEGER PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE judgement(id INTEGER PRIMARY KEY, body TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE round(
  id INTEGER PRIMARY KEY, trial INTEGER NOT NULL, n INTEGER NOT NULL, t REAL NOT NULL, data BLOB NOT NULL,
  crc INTEGER NOT NULL);
CREATE TABLE event(
  id INTEGER PRIMARY KEY, trial INTEGER, t REAL NOT NULL, wall REAL NOT NULL, kind TEXT NOT NULL,
  message TEXT NOT NULL, data TEXT NOT NULL, crc INTEGER NOT NULL);
"""
SCHEMA = f"""{_SCHEMA_2}
CREATE TABLE member(
  id INTEGER PRIMARY KEY, trial INTEGER NOT NULL, name TEXT NOT NULL, judged INTEGER NOT NULL, protocol TEXT NOT NULL,
  ended REAL, crc INTEGER NOT NULL);
CREATE TABLE series(
  id INTEGER PRIMARY KEY, trial INTEGER NOT NULL, position INTEGER NOT NULL, metric TEXT NOT NULL, kind TEXT NOT NULL,
  unit TEXT NOT NULL, layer TEXT, judged INTEGER NOT NULL, help TEXT NOT NULL, member TEXT NOT NULL,
  device TEXT NOT NULL, label TEXT NOT NULL, crc INTEGER NOT NULL);
"""
_COLUMNS_2 = {
    "meta": ("id", "key", "value"),
    "trial": ("id", "name", "body"),
    "judgement": ("id", "body"),
    "series": ("id", "trial", "position", "metric", "label", "spec"),
    "round": ("id", "trial", "n", "t", "data"),
    "event": ("id", "trial", "t", "wall", "kind", "message", "data"),
}
COLUMNS = {
    **_COLUMNS_2,
    "member": ("id", "trial", "name", "judged", "protocol", "ended"),
    "series": (
        "id", "trial", "position", "metric", "kind", "unit", "layer", "judged", "help", "member", "device", "label",
    ),
}  # fmt: skip
"""Of each table; the checksum of all of them stands behind them."""


@dataclass(frozen=True, slots=True)
class Format:
    """How the rows of one version are read and written. scans: `{of}` takes a condition, the first id a parameter."""

    version: int
    checked: bool
    """Whether rows have checksums and numbers."""
    columns: Mapping[str, tuple[str, ...]]
    scans: Mapping[str, str]
    puts: Mapping[str, str]


def _checked(version: int, columns: Mapping[str, tuple[str, ...]]) -> Format:
    scans = {
        name: f"SELECT {', '.join(those)}, crc FROM {name} WHERE id >= ?{{of}} ORDER BY id"  # noqa: S608  (no input)
        for name, those in columns.items()
    }
    puts = {
        name: f"INSERT INTO {name} VALUES({', '.join('?' * (len(those) + 1))}) ON CONFLICT(id) DO UPDATE SET "
        + ", ".join(f"{column} = excluded.{column}" for column in (*those[1:], "crc"))
        for name, those in columns.items()
    }
    puts["round"] = puts["round"].partition(" ON CONFLICT")[0]  # never written twice, and every second
    return Format(version, True, columns, scans, puts)


_FIRST = Format(
    1, False, _COLUMNS_2,
    scans={
        "meta": "SELECT 0, key, value FROM meta WHERE 0 >= ?",
        "trial": "SELECT id, name, body FROM trial WHERE id >= ? ORDER BY id",
        "judgement": "SELECT id, judgement FROM trial WHERE id >= ? AND judgement IS NOT NULL ORDER BY id",
        "series": "SELECT position, trial, position, metric, label, spec FROM series WHERE 0 >= ?{of}",
        "round": "SELECT rowid, trial, rowid, t, data FROM round WHERE rowid >= ?{of} ORDER BY rowid",
        "event": "SELECT id, trial, t, wall, kind, message, data FROM event WHERE id >= ? ORDER BY id",
    },
    puts={
        "meta": "INSERT OR REPLACE INTO meta(key, value) VALUES(:key, :value)",
        "trial": "INSERT INTO trial(id, name, body) VALUES(:id, :name, :body) "
        "ON CONFLICT(id) DO UPDATE SET body = excluded.body",
        "judgement": "UPDATE trial SET judgement = :body WHERE id = :id",
        "event": "INSERT INTO event(trial, t, wall, kind, message, data) "
        "VALUES(:trial, :t, :wall, :kind, :message, :data)",
    },
)  # fmt: skip
FORMATS = {1: _FIRST, 2: _checked(2, _COLUMNS_2), 3: _checked(3, COLUMNS)}


def version_of(columns: Mapping[str, list[str]]) -> int | None:
    """The version of a record whose tables have these columns; None where they are none of ours."""
    if "key" not in columns["meta"] or "data" not in columns["round"]:
        return None
    if "crc" not in columns["meta"]:
        return 1
    return 3 if "member" in columns["series"] else 2


@dataclass(frozen=True, slots=True)
class MemberInfo:
    """A member of a trial."""

    trial: int
    name: str
    judged: bool = True
    protocol: str = "wire"
    """How it tells how it goes: `wire` (a worker of soak's), or `none`."""
    ended: float | None = None
    """Seconds since the trial began at which it ended while its trial went on; None where it did not."""


class SeriesRow(msgspec.Struct, frozen=True):
    """A series as it stands in the table, but for its id and its trial."""

    position: int
    metric: str
    kind: Literal["gauge", "counter"]
    unit: Literal["bytes", "count", "seconds", "ratio", "value"]
    layer: str | None
    judged: bool
    help: str
    member: str
    device: str
    label: str

    @property
    def spec(self) -> MetricSpec:
        """The metric."""
        return MetricSpec(self.metric, self.unit, self.help, self.layer, self.judged, self.kind == "counter")


def described(sample: Sample, fit: Callable[[object], str]) -> tuple[Any, ...]:
    """What stands in the table of series for it, behind its position. fit: makes a text fit to be written."""
    spec = sample.metric
    kind = "counter" if spec.counter else "gauge"
    texts = map(fit, (spec.help, sample.member, sample.device, sample.label))
    return (fit(spec.name), kind, spec.unit, spec.layer, int(spec.judged), *texts)


def series_row(version: int, row: tuple[Any, ...]) -> SeriesRow:
    """A row of the table of series, of any version.

    Raises:
        msgspec.ValidationError: it is none; one without a checksum may hold anything.
    """
    _, _, position, *rest = row
    if version >= 3:
        return msgspec.convert(
            dict(zip(COLUMNS["series"][2:], (position, *rest), strict=True)), SeriesRow, strict=False
        )
    _, label, text = rest
    spec = msgspec.convert(parsed(text), MetricSpec)
    kind: Literal["gauge", "counter"] = "counter" if spec.counter else "gauge"
    return SeriesRow(position, spec.name, kind, spec.unit, spec.layer, spec.judged, spec.help, "", "", str(label))


UNREADABLE = object()


def parsed(text: object) -> Any:
    """JSON; `UNREADABLE` for what is none, which is of no type that could be asked for."""
    try:
        return json.loads(str(text))
    except (ValueError, RecursionError):
        return UNREADABLE
