"""The record of a run: facts, trials, judgements, samples, events, as they are written and read.

A round of samples is one row: the trial, its number, the time, and the values of all its series as little-endian
float64 in the order the series first appeared (NaN = absent; a shorter row is older than the missing series). So 72 h
at 1 Hz stay small, a round costs one insert, and every round is committed: a kill at any moment loses at most the one
in flight. Rounds are numbered, and how many rows there are of each kind is written at the end: what is damaged is left
out and counted, never believed. Light, as the supervisor writes with it; arrays are made by `record`, in the process
that reads.
"""

from __future__ import annotations

import contextlib
import json
import math
import threading
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import msgspec

from monitors.judgement import Judgement
from monitors.model import Event, Loss, Sample
from monitors.text import json_value, long_text, without_credentials
from soak.errors import RecordError
from soak.record.damage import Damage
from soak.record.formats import READABLE, UNREADABLE, VERSION, MemberInfo, SeriesRow, described, parsed, series_row
from soak.record.rows import Put, Rows

FILE = "record.sqlite"
COUNTED = "counted"
"""The fact that tells how many rows of each kind there are."""


_Key = tuple[str, str, str, str]
"""Metric, member, device and label: what tells a series apart."""


class Store:
    """A record open for writing by one process, from any of its threads; or for reading by anyone."""

    def __init__(self, rows: Rows) -> None:
        self.path = rows.path
        self.damage = Damage(torn=rows.torn)
        """What could not be read so far."""
        self._rows = rows
        self._numbering = threading.Lock()
        self._positions: dict[int, dict[_Key, int]] = {}
        self._rounds: dict[int, int] = {}
        """How many rounds of each trial were written."""
        self._keys: dict[str, int] = {}
        self._judged: set[int] = set()
        self._last = {"trial": -1, "series": 0, "round": 0, "event": 0, "member": 0}
        """The last id of each table."""
        self._conceal: Callable[[str], str] = without_credentials

    @classmethod
    def create(cls, path: Path) -> Self:
        """Start a record.

        Raises:
            RecordError: the folder cannot be written, or a record is there already.
        """
        store = cls(Rows.create(path))
        store.put_meta("version", VERSION)
        return store

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a record, finished, running or left behind by a kill. Nothing is changed in it.

        Raises:
            RecordError: there is none, or it is none of ours.
        """
        store = cls(Rows.open(path))
        store._agree()
        return store

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Write on in a record whose writer is gone; no further rounds, only what was left open.

        Raises:
            RecordError: there is none, it is none of ours, or it cannot be written.
        """
        store = cls(Rows.reopen(path))
        store._agree()
        store._count_on()
        return store

    def _agree(self) -> None:
        """What the record says of its version must be what its tables are."""
        version = self._rows.version
        said = self.meta().get("version", version if "meta" in self._rows.torn else None)
        if said != version:
            self._rows.close()
            known = ", ".join(map(str, READABLE))
            raise RecordError(f"{self.path}: a record of version {said}; this soak reads versions {known}")

    def _count_on(self) -> None:
        """Number further rows behind those that are there."""
        told = self._told()
        self._keys = {key: number for number, key, _ in self._rows.scan("meta")}
        self._judged = {number for number, *_ in self._rows.scan("judgement")}
        for table in self._last:
            self._last[table] = max((row[0] for row in self._rows.scan(table)), default=self._last[table])
        for _, trial, n, *_ in self._rows.scan("round"):
            self._rounds[trial] = max(self._rounds.get(trial, 0), n + 1)
        for trial, rounds in told.get("rounds", {}).items():
            self._rounds[int(trial)] = max(self._rounds.get(int(trial), 0), rounds)
        self._last["event"] = max(self._last["event"], told.get("events", 0))

    def close(self) -> None:
        """Write how much there is, if this process wrote; leave one file, and let go of it."""
        if self._rows.writes and self._rows.version > 1:
            with contextlib.suppress(RecordError):
                self.put_meta(COUNTED, self._counts())
        self._rows.close()

    def _counts(self) -> dict[str, Any]:
        return {
            "facts": len({*self._keys, COUNTED}),
            "trials": self._last["trial"] + 1,
            "judgements": sorted(self._judged),
            "events": self._last["event"],
            "rounds": {str(trial): count for trial, count in self._rounds.items()},
        }

    def _told(self) -> dict[str, Any]:
        told = self.meta().get(COUNTED)
        return told if isinstance(told, dict) else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def conceal(self, conceal: Callable[[str], str]) -> None:
        """What every text goes through before it is written: it takes out what is secret."""
        self._conceal = conceal

    def put_meta(self, key: str, value: object) -> None:
        """Remember a fact of the run; a second value replaces the first."""
        number = self._keys.get(key) or max(self._keys.values(), default=0) + 1
        self._rows.write(("meta", number, key, self._json(value)))
        self._keys[key] = number

    def meta(self) -> dict[str, Any]:
        """Every fact of the run that can be read."""
        facts = {key: parsed(text) for _, key, text in self._rows.scan("meta")}
        unreadable = [key for key, value in facts.items() if value is UNREADABLE]
        facts = {key: value for key, value in facts.items() if value is not UNREADABLE}
        told = facts.get(COUNTED)
        self.damage.facts = max(told["facts"] - len(facts) if told else 0, len(unreadable))
        return facts

    def put_trial(self, index: int, name: str, body: Mapping[str, Any]) -> None:
        """Write what is known of a trial; a second body replaces the first."""
        self._rows.write(("trial", index, self.fit(name), self._json(body)))
        self._last["trial"] = max(self._last["trial"], index)

    def put_judgement(self, index: int, judgement: Judgement) -> None:
        """Write the judgement of a trial."""
        self._rows.write(("judgement", index, self._json(asdict(judgement))))
        self._judged.add(index)

    def trials(self) -> list[dict[str, Any]]:
        """What is known of every trial that can be read, in the order of the plan."""
        told = self._told()  # before the rows: a run that ends meanwhile has more of them, never fewer
        bodies = {row[0]: body for row in self._rows.scan("trial") if isinstance(body := parsed(row[-1]), dict)}
        # A record that was cut off has no count yet, but what a trial was sampled with bears its number.
        known = max([*bodies, *(row[1] for row in self._rows.scan("series"))], default=-1) + 1
        self.damage.trials = max(told.get("trials", 0), known) - len(bodies)
        return [bodies[number] for number in sorted(bodies)]

    def judgements(self) -> dict[int, Judgement]:
        """Those that can be read, by the index of their trial."""
        there = set(self._told().get("judgements", ()))
        found: dict[int, Judgement] = {}
        for number, text in self._rows.scan("judgement"):
            there.add(number)
            with contextlib.suppress(msgspec.ValidationError):
                found[number] = msgspec.convert(parsed(text), Judgement)
        self.damage.judgements = there - set(found)
        return found

    def add_round(self, trial: int, t: float, samples: Sequence[Sample]) -> None:
        """Write one round: `samples` taken at `t` seconds since the trial began."""
        with self._numbering:
            self._add_round(trial, t, samples)

    def _add_round(self, trial: int, t: float, samples: Sequence[Sample]) -> None:
        positions = self._positions.setdefault(trial, {})
        known, rows = len(positions), list[Put]()
        values = array("d", [math.nan]) * known
        for sample in samples:
            key = sample.series
            place = positions.get(key)
            if place is None:
                place = positions[key] = len(positions)
                values.append(math.nan)
                rows.append(
                    ("series", self._last["series"] + len(rows) + 1, trial, place, *described(sample, self.fit))
                )
            try:
                values[place] = sample.value
            except (TypeError, OverflowError):
                continue  # what is no number is absent; a context manager for each value takes half the time of a round
        n, number = self._rounds.get(trial, 0), self._last["round"] + 1
        try:
            self._rows.write(*rows, ("round", number, trial, n, _stored(t), values.tobytes()))
        except RecordError:
            # What was not written is not known to the file either.
            for key in list(positions)[known:]:
                del positions[key]
            raise
        self._rounds[trial], self._last["round"] = n + 1, number
        self._last["series"] += len(rows)

    def series(self, trial: int) -> dict[int, SeriesRow]:
        """What each series of a trial that can be read is of, by its position in a round's values."""
        found: dict[int, SeriesRow] = {}
        for row in self._rows.scan("series", trial):
            with self._noting("series"):
                found[row[2]] = series_row(self._rows.version, row)
        return found

    def put_member(self, number: int | None, member: MemberInfo) -> int:
        """Write what is known of a member of a trial; with the number it got, this replaces what was known."""
        if number is None:
            self._last["member"] += 1
            number = self._last["member"]
        body = (self.fit(member.name), int(member.judged), member.protocol, member.ended)
        self._rows.write(("member", number, member.trial, *body))
        return number

    def members(self, trial: int) -> list[MemberInfo]:
        """Those of a trial that can be read, in the order in which they started; none in older records."""
        rows = {row[0]: row[1:] for row in self._rows.scan("member", trial)}
        return [MemberInfo(of, name, bool(judged), said, ended)
                for _, (of, name, judged, said, ended) in sorted(rows.items())]  # fmt: skip

    def rounds(self, trial: int) -> list[tuple[float, bytes]]:
        """Time and packed values of each round of a trial that can be read, oldest first."""
        told = self._told().get("rounds", {}).get(str(trial))
        rows: dict[int, tuple[float, bytes]] = {}
        for n, t, data in self._rows.rounds(trial):
            if isinstance(t, float) and math.isfinite(t) and isinstance(data, bytes) and len(data) % 8 == 0:
                rows[n] = (t, data)
                if len(rows) == told:
                    break  # there are no more: what follows in the file is of other trials
            else:
                self.damage.torn.add("round")
        if self._rows.version > 1:
            written = max(told or 0, max(rows, default=-1) + 1)
            torn = told is None and "round" in self._rows.torn
            self.damage.losses[trial] = Loss(written, written - len(rows), torn=torn)
        return [rows[n] for n in sorted(rows)]

    def add_event(self, event: Event) -> None:
        """Write something that happened."""
        told = (self.fit(event.kind), self.fit(event.message), self._json(dict(event.data)))
        with self._numbering:
            number = self._last["event"] + 1
            self._rows.write(("event", number, event.trial, _stored(event.t), _stored(event.wall), *told))
            self._last["event"] = number

    def events(self) -> list[Event]:
        """Those that can be read, oldest first."""
        told = self._told().get("events", 0)
        found: dict[int, Event] = {}
        for number, trial, t, wall, kind, message, text in self._rows.scan("event"):
            body = {"t": t, "kind": kind, "message": message, "trial": trial, "wall": wall, "data": parsed(text)}
            with self._noting("event"):
                found[number] = msgspec.convert(body, Event)
        self.damage.events = max(told, max(found, default=0)) - len(found)
        return [found[number] for number in sorted(found)]

    @contextlib.contextmanager
    def _noting(self, table: str) -> Iterator[None]:
        """A row without a checksum, of version 1, may hold anything."""
        try:
            yield
        except msgspec.ValidationError:
            self.damage.torn.add(table)

    def fit(self, text: object) -> str:
        """A text as it is written: without what is secret, every character fit for every sink."""
        return long_text(self._conceal(str(text)))

    def _json(self, value: object) -> str:
        return json.dumps(json_value(value, finite=False, clean=self.fit))


def _stored(time: float) -> float:
    """As it comes back: SQLite stores -0.0 as the integer 0, and what is no number not at all."""
    return time + 0.0 if math.isfinite(time) else 0.0
