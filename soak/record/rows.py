"""Rows of a record in SQLite, numbered and with checksums. `formats` has its tables; `store` knows what they mean.

Every row has an id, counted up in its table by the one process that writes, and a checksum of all that it holds. So
what is damaged is told from what was written, and what is missing is noticed. Older formats are still read, and
closed. Light, as the supervisor writes with it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import struct
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from soak.errors import RecordError
from soak.record.damage import checksum, round_checksum, whole_rounds
from soak.record.formats import FORMATS, SCHEMA, VERSION, version_of
from soak.record.salvage import Row, salvaged

_AT_ONCE = 2000
"""Rounds that are read at a time: some hundred KB."""
Put = tuple[str, int, *tuple[Any, ...]]
"""A row to be written: its table, its id, the rest of it."""


class Rows:
    """The tables of a record, open for writing by one process, from any of its threads; or for reading by anyone."""

    def __init__(self, connection: sqlite3.Connection, path: Path, version: int, writes: bool) -> None:
        self.path, self.version, self.writes = path, version, writes
        self._format = FORMATS[version]
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
            db.executescript(SCHEMA)
        except sqlite3.Error as error:
            raise RecordError(f"{path}: the record cannot be created: {error}") from error
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
                columns = {
                    name: [row[1] for row in db.execute(f"PRAGMA table_info({name})")]
                    for name in ("meta", "round", "series")
                }
            except sqlite3.Error as error:
                failure = str(error)
                continue
            version = version_of(columns)
            if version is not None:
                return cls(db, path, version, writes=False)
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

    def rounds(self, trial: int) -> Iterator[tuple[int, object, object]]:
        """Number, time and values of the rounds of a trial that are whole, oldest first, some perhaps twice."""
        low = 0
        if self._format.checked:
            # What goes wrong on the way is found, and told, by the scan behind it.
            with contextlib.suppress(sqlite3.Error, TypeError, struct.error):
                rounds = self._db.execute(self._format.scans["round"].format(of=f" AND trial = {trial:d}"), (low,))
                while rows := rounds.fetchmany(_AT_ONCE):
                    whole = whole_rounds(rows)
                    if len(whole) < len(rows):
                        self.torn.add("round")
                    for number, n, t, data in whole:
                        yield n, t, data
                        low = number + 1
                return
        for _, _, n, t, data in self.scan("round", trial, low):
            yield n, t, data

    def scan(self, table: str, trial: int | None = None, low: int = 0) -> Iterator[Row]:
        """Rows that are whole, ascending by id from `low` on, some perhaps twice; of one trial, or all."""
        if table not in self._format.scans:
            return
        of = "" if trial is None else f" AND trial = {trial:d}"
        sql = self._format.scans[table].format(of=of)

        def read(low: int, one: bool) -> Iterator[Row]:
            try:
                yield from self._db.execute(f"{sql} LIMIT 1" if one else sql, (low,))
            except sqlite3.Error:
                self.torn.add(table)
                raise

        def intact(row: Row) -> bool:
            if not self._format.checked or checksum(table, *row[:-1]) == row[-1]:
                return True
            self.torn.add(table)
            return False

        for row in salvaged(read, intact, sqlite3.Error, low):
            yield row[:-1] if self._format.checked else row

    def write(self, *rows: Put) -> None:
        """Write rows in one transaction; a row replaces that of its id.

        Raises:
            RecordError: they cannot be written, and none of them is.
        """
        if self.vanished():
            raise RecordError(f"{self.path}: the record is missing: its folder was removed during the run")
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
        if not self._format.checked:
            return self._format.puts[table], dict(zip(self._format.columns[table], row, strict=True))
        own = round_checksum(*row) if table == "round" else checksum(table, *row)
        return self._format.puts[table], (*row, own)


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
