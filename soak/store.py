"""The record of a run in SQLite, and the only file with SQL.

A round of samples is one row: the trial, the time, and the values of all its series as little-endian float64 in the
order the series first appeared (NaN = absent; a shorter row is older than the missing series). So 72 h at 1 Hz stay
small, a round costs one insert, and every round is committed: a kill at any moment loses at most the one in flight.
Standard library only, as the supervisor stays light; arrays are made by `record`, in the process that reads.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from monitors.model import Event, MetricSpec, Sample
from soak.errors import RecordError

FILE = "record.sqlite"
VERSION = 1

_SCHEMA = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trial(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, body TEXT NOT NULL, judgement TEXT);
CREATE TABLE series(
  trial INTEGER NOT NULL, position INTEGER NOT NULL, metric TEXT NOT NULL, label TEXT NOT NULL, spec TEXT NOT NULL,
  PRIMARY KEY(trial, position)) WITHOUT ROWID;
CREATE TABLE round(trial INTEGER NOT NULL, t REAL NOT NULL, data BLOB NOT NULL);
CREATE TABLE event(
  id INTEGER PRIMARY KEY, trial INTEGER, t REAL NOT NULL, wall REAL NOT NULL, kind TEXT NOT NULL,
  message TEXT NOT NULL, data TEXT NOT NULL);
"""


class Store:
    """A record open for writing by one process, from any of its threads; or for reading by anyone."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._db = connection
        self._lock = threading.Lock()
        self._positions: dict[int, dict[tuple[str, str], int]] = {}

    @classmethod
    def create(cls, path: Path) -> Self:
        """Start a record.

        Raises:
            RecordError: the folder cannot be written, or a record is there already.
        """
        if path.exists():
            raise RecordError(f"{path}: a record is there already; give another --out")
        try:
            db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            db.execute("PRAGMA journal_mode=WAL")
            # NORMAL survives a killed process whole; only a power cut can take the last commits, never the rest.
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute("PRAGMA journal_size_limit=4194304")
            # KiB. The default of 2 MiB fills over the first hour: growth of the tester, for pages it never reads again.
            db.execute("PRAGMA cache_size=-128")
            db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise RecordError(f"{path}: the record cannot be made: {error}") from error
        store = cls(db, path)
        store.put_meta("version", VERSION)
        return store

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a record, finished, running or left behind by a kill. Nothing is changed in it.

        Raises:
            RecordError: there is none, or it is none of ours.
        """
        if not path.is_file():
            raise RecordError(f"{path}: no such record")
        store = cls(_connect_to_read(path), path)
        version = store.meta().get("version")
        if version != VERSION:
            raise RecordError(f"{path}: a record of version {version}; this soak reads version {VERSION}")
        return store

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Write on in a record whose writer is gone; no further rounds, only what was left open.

        Raises:
            RecordError: there is none, it is none of ours, or it cannot be written.
        """
        cls.open(path).close()
        try:
            db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        except sqlite3.Error as error:
            raise RecordError(f"{path}: the record cannot be written: {error}") from error
        return cls(db, path)

    def close(self) -> None:
        """Fold the write-ahead log back into the file, so that the record is one file, and let go of it."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _write(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> None:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                for sql, values in statements:
                    self._db.execute(sql, values)
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise RecordError(f"{self.path}: the record cannot be written: {error}") from error

    def _read(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        try:
            with self._lock:
                cursor = self._db.execute(sql, values)
            while rows := cursor.fetchmany(4096):
                yield from rows
        except sqlite3.Error as error:
            raise RecordError(f"{self.path}: the record cannot be read: {error}") from error

    def put_meta(self, key: str, value: object) -> None:
        """Remember a fact of the run; a second value replaces the first."""
        self._write([("INSERT OR REPLACE INTO meta VALUES(?, ?)", (key, json.dumps(value)))])

    def meta(self) -> dict[str, Any]:
        """Every fact of the run."""
        return {key: json.loads(value) for key, value in self._read("SELECT key, value FROM meta")}

    def put_trial(self, index: int, name: str, body: Mapping[str, Any]) -> None:
        """Write what is known of a trial; a second body replaces the first."""
        sql = (
            "INSERT INTO trial(id, name, body) VALUES(?, ?, ?) "
            "ON CONFLICT(id) DO UPDATE SET name = excluded.name, body = excluded.body"
        )
        self._write([(sql, (index, name, json.dumps(body)))])

    def put_judgement(self, index: int, judgement: Mapping[str, Any]) -> None:
        """Write the judgement of a trial."""
        self._write([("UPDATE trial SET judgement = ? WHERE id = ?", (json.dumps(judgement), index))])

    def trials(self) -> list[tuple[dict[str, Any], dict[str, Any] | None]]:
        """Body and judgement of every trial, in the order of the plan."""
        rows = self._read("SELECT body, judgement FROM trial ORDER BY id")
        return [(json.loads(body), json.loads(judged) if judged else None) for body, judged in rows]

    def add_round(self, trial: int, t: float, samples: Sequence[Sample]) -> None:
        """Write one round: `samples` taken at `t` seconds since the trial began."""
        positions = self._positions.setdefault(trial, {})
        statements: list[tuple[str, Sequence[Any]]] = []
        for sample in samples:
            key = (sample.metric.name, sample.label)
            if key not in positions:
                positions[key] = len(positions)
                row = (trial, positions[key], *key, json.dumps(_spec_body(sample.metric)))
                statements.append(("INSERT INTO series VALUES(?, ?, ?, ?, ?)", row))
        values = array("d", [float("nan")]) * len(positions)
        for sample in samples:
            values[positions[sample.metric.name, sample.label]] = sample.value
        statements.append(("INSERT INTO round VALUES(?, ?, ?)", (trial, t, values.tobytes())))
        try:
            self._write(statements)
        except RecordError:
            # What was not written is not known to the file either.
            for statement in statements[:-1]:
                del positions[statement[1][2], statement[1][3]]
            raise

    def series(self, trial: int) -> list[tuple[MetricSpec, str]]:
        """Metric and label of each series of a trial, in the order of a round's values."""
        rows = self._read("SELECT label, spec FROM series WHERE trial = ? ORDER BY position", (trial,))
        return [(MetricSpec(**json.loads(spec)), label) for label, spec in rows]

    def rounds(self, trial: int) -> Iterator[tuple[float, bytes]]:
        """Time and packed values of each round of a trial, oldest first."""
        return self._read("SELECT t, data FROM round WHERE trial = ? ORDER BY rowid", (trial,))

    def add_event(self, event: Event) -> None:
        """Write something that happened."""
        row = (event.trial, event.t, event.wall, event.kind, event.message, json.dumps(dict(event.data)))
        self._write([("INSERT INTO event(trial, t, wall, kind, message, data) VALUES(?, ?, ?, ?, ?, ?)", row)])

    def events(self) -> list[Event]:
        """Oldest first."""
        rows = self._read("SELECT t, kind, message, trial, wall, data FROM event ORDER BY id")
        return [Event(t, kind, message, trial, wall, json.loads(data)) for t, kind, message, trial, wall, data in rows]


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """Plainly where possible; a folder that cannot be written (an archive) is read as it lies."""
    quoted = path.resolve().as_uri()
    for query in ("mode=ro", "mode=ro&immutable=1"):
        db = sqlite3.connect(f"{quoted}?{query}", uri=True, check_same_thread=False, isolation_level=None)
        try:
            db.execute("SELECT count(*) FROM meta").fetchone()
        except sqlite3.Error as error:
            db.close()
            failure = error
        else:
            return db
    raise RecordError(f"{path}: not a readable record: {failure}") from failure


def _spec_body(spec: MetricSpec) -> dict[str, Any]:
    return {
        "name": spec.name, "unit": spec.unit, "help": spec.help, "layer": spec.layer, "judged": spec.judged,
        "counter": spec.counter,
    }  # fmt: skip
