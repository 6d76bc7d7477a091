"""Rows of a record in SQLite, numbered and with checksums: the only file with SQL. `store` knows what they mean.

Every row has an id, counted up in its table by the one process that writes, and a checksum of all that it holds. So
what is damaged is told from what was written, and what is missing is noticed. Version 1, without either, is still
read, and closed. Standard library only, as the supervisor writes with it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from soak.errors import RecordError
from soak.record.damage import checksum
from soak.record.salvage import Row, salvaged

VERSION = 2

_SCHEMA = """
CREATE TABLE meta(id INTEGER PRIMARY KEY, key TEXT NOT NULL, value TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE trial(id INTEGER PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE judgement(id INTEGER PRIMARY KEY, body TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE series(
  id INTEGER PRIMARY KEY, trial INTEGER NOT NULL, position INTEGER NOT NULL, metric TEXT NOT NULL, label TEXT NOT NULL,
  spec TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE round(
  id INTEGER PRIMARY KEY, trial INTEGER NOT NULL, n INTEGER NOT NULL, t REAL NOT NULL, data BLOB NOT NULL,
  crc INTEGER NOT NULL);
CREATE TABLE event(
  id INTEGER PRIMARY KEY, trial INTEGER, t REAL NOT NULL, wall REAL NOT NULL, kind TEXT NOT NULL,
  message TEXT NOT NULL, data TEXT NOT NULL, crc INTEGER NOT NULL);
"""
COLUMNS = {
    "meta": ("id", "key", "value"),
    "trial": ("id", "name", "body"),
    "judgement": ("id", "body"),
    "series": ("id", "trial", "position", "metric", "label", "spec"),
    "round": ("id", "trial", "n", "t", "data"),
    "event": ("id", "trial", "t", "wall", "kind", "message", "data"),
}
"""Of each table; the checksum of all of them stands behind them."""
_SCANS = {
    name: f"SELECT {', '.join(columns)}, crc FROM {name} WHERE id >= ?{{of}} ORDER BY id"  # noqa: S608  (no input)
    for name, columns in COLUMNS.items()
}
_PUTS = {
    name: f"INSERT INTO {name} VALUES({', '.join('?' * (len(columns) + 1))}) ON CONFLICT(id) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in (*columns[1:], "crc"))
    for name, columns in COLUMNS.items()
}
_PUTS["round"] = _PUTS["round"].partition(" ON CONFLICT")[0]  # never written twice, and every second
_SCANS_1 = {
    "meta": "SELECT 0, key, value FROM meta WHERE 0 >= ?",
    "trial": "SELECT id, name, body FROM trial WHERE id >= ? ORDER BY id",
    "judgement": "SELECT id, judgement FROM trial WHERE id >= ? AND judgement IS NOT NULL ORDER BY id",
    "series": "SELECT position, trial, position, metric, label, spec FROM series WHERE 0 >= ?{of}",
    "round": "SELECT rowid, trial, rowid, t, data FROM round WHERE rowid >= ?{of} ORDER BY rowid",
    "event": "SELECT id, trial, t, wall, kind, message, data FROM event WHERE id >= ? ORDER BY id",
}
_PUTS_1 = {
    "meta": "INSERT OR REPLACE INTO meta(key, value) VALUES(:key, :value)",
    "trial": "INSERT INTO trial(id, name, body) VALUES(:id, :name, :body) "
    "ON CONFLICT(id) DO UPDATE SET body = excluded.body",
    "judgement": "UPDATE trial SET judgement = :body WHERE id = :id",
    "event": "INSERT INTO event(trial, t, wall, kind, message, data) VALUES(:trial, :t, :wall, :kind, :message, :data)",
}
Put = tuple[str, int, *tuple[Any, ...]]
"""A row to be written: its table, its id, the rest of it."""


class Rows:
    """The tables of a record, open for writing by one process, from any of its threads; or for reading by anyone."""

    def __init__(self, connection: sqlite3.Connection, path: Path, version: int, writes: bool) -> None:
        self.path, self.version, self.writes = path, version, writes
        self.torn: set[str] = set()
        """Tables of which something could not be read, or was not whole."""
        self._db = connection
        self._db.text_factory = _text
        self._lock = threading.Lock()
        self._place = _place(path) if writes else None

    @classmethod
    def create(cls, path: Path) -> Self:
        """Empty tables in a new file.

        Raises:
            RecordError: the folder cannot be written, or something is there already.
        """
        if os.path.lexists(path):
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
        return cls(db, path, VERSION, writes=True)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Plainly where possible; a folder that cannot be written (an archive) is read as it lies.

        Raises:
            RecordError: there is none, or it is none of ours.
        """
        if not is_file(path):
            raise RecordError(f"{path}: no such record")
        quoted = path.resolve().as_uri()
        for query in ("mode=ro", "mode=ro&immutable=1"):
            try:
                db = sqlite3.connect(f"{quoted}?{query}", uri=True, check_same_thread=False, isolation_level=None)
                # So that a file that was cut short is read as far as it goes; nothing is written here.
                db.execute("PRAGMA writable_schema=ON")
                columns = [row[1] for name in ("meta", "round") for row in db.execute(f"PRAGMA table_info({name})")]
            except sqlite3.Error as error:
                failure = str(error)
                continue
            if "key" in columns and "data" in columns:
                return cls(db, path, VERSION if "crc" in columns else 1, writes=False)
            failure = "its tables are not those of a record"
        raise RecordError(f"{path}: not a readable record: {failure}")

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """To write on.

        Raises:
            RecordError: there is none, it is none of ours, or it cannot be written.
        """
        found = cls.open(path)
        found.close()
        try:
            db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        except sqlite3.Error as error:
            raise RecordError(f"{path}: the record cannot be written: {error}") from error
        return cls(db, path, found.version, writes=True)

    def close(self) -> None:
        """Fold the write-ahead log back into the file, so that the record is one file, and let go of it."""
        with self._lock:
            if self.writes:
                # Where nobody else reads: then no reader makes a log of its own beside it any more either.
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("PRAGMA busy_timeout=0")
                    self._db.execute("PRAGMA journal_mode=DELETE")
            self._db.close()

    def vanished(self) -> bool:
        """Whether the file that is written to no longer lies at its place: SQLite would write on without a word."""
        return self._place is not None and _place(self.path) not in (self._place, _UNKNOWN)

    def scan(self, table: str, trial: int | None = None) -> Iterator[Row]:
        """Rows that are whole, ascending by id, some perhaps twice; of one trial, or all."""
        of = "" if trial is None else f" AND trial = {trial:d}"
        sql = (_SCANS_1 if self.version == 1 else _SCANS)[table].format(of=of)

        def read(low: int, one: bool) -> Iterator[Row]:
            try:
                yield from self._db.execute(f"{sql} LIMIT 1" if one else sql, (low,))
            except sqlite3.Error:
                self.torn.add(table)
                raise

        def intact(row: Row) -> bool:
            if self.version == 1 or checksum(table, *row[:-1]) == row[-1]:
                return True
            self.torn.add(table)
            return False

        for row in salvaged(read, intact, sqlite3.Error):
            yield row if self.version == 1 else row[:-1]

    def write(self, *rows: Put) -> None:
        """Write rows in one transaction; a row replaces that of its id.

        Raises:
            RecordError: they cannot be written, and none of them is.
        """
        if self.vanished():
            raise RecordError(f"{self.path}: the record is gone: its folder was removed while the run wrote to it")
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                for table, *row in rows:
                    self._db.execute(*self._statement(table, row))
                self._db.execute("COMMIT")
            except (sqlite3.Error, OverflowError) as error:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise RecordError(f"{self.path}: the record cannot be written: {error}") from error

    def _statement(self, table: str, row: Sequence[Any]) -> tuple[str, Any]:
        if self.version == 1:
            return _PUTS_1[table], dict(zip(COLUMNS[table], row, strict=True))
        return _PUTS[table], (*row, checksum(table, *row))


_UNKNOWN = (-1, -1)


def _place(path: Path) -> tuple[int, int] | None:
    """Device and inode; None where there is nothing."""
    try:
        found = os.stat(path)  # noqa: PTH116  (asked for before every write, and three times as fast)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return _UNKNOWN
    return found.st_dev, found.st_ino


def is_file(path: Path) -> bool:
    """Whether there is a regular file; not where it may not be asked for, or has an impossible name."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
