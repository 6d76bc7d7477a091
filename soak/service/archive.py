"""The runs that lie in the state folder: what each was, how it ended, how much room it takes.

A run may be damaged in any way: whatever reading it raises makes it a damaged run, which is listed as such, and stays.
"""

from __future__ import annotations

import errno
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from monitors.judgement import Judgement
from monitors.text import one_line
from soak.judge.outlook import outlook_of
from soak.judge.verdict import EXIT_CODES
from soak.record.store import FILE, Store
from soak.runs import messages

_ID = re.compile(r"(?P<schedule>[a-z0-9][a-z0-9_-]{0,62})-(?P<stamp>\d{8}T\d{6}Z)(?:-\d{1,2})?")
REPORTS = ("report.html", "report.json", "report.md", "junit.xml")
"""Files of a run that may be read from outside."""
DAMAGED_EVERY = 60.0
"""Seconds between two looks at a record that is damaged and did not change."""
_DAMAGED = "its record is damaged"
_LATEST = 32503680000.0
"""The year 3000: no run began later."""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One run in the archive."""

    id: str
    schedule: str
    started: float
    """Unix time."""
    ended: float | None
    """Unix time; None where the run goes on, or was cut off."""
    verdict: str | None
    reason: str
    size: int
    """Bytes."""
    reports: tuple[str, ...]
    """Those of `REPORTS` that there are."""
    damage: str = ""
    """Why its record cannot be read; empty where it can."""


class Archive:
    """The folder `runs` of the state folder. What has ended is read once, unless its record changes."""

    def __init__(self, folder: Path, under_way: Callable[[], Collection[str]] = tuple) -> None:
        """Read from there; `under_way` names the schedules whose run is being made at this moment."""
        self.folder = folder
        self._under_way = under_way
        self._known: dict[str, tuple[object, float, RunEntry]] = {}
        """By id: what the record was then, until when that is believed (monotonic), and what was read."""
        self.damaged: dict[str, str] = {}
        """Runs that cannot be read, as of the last look, and why."""

    def runs(self) -> list[RunEntry]:
        """Newest first.

        Raises:
            OSError: the folder cannot be read, or no more files can be opened.
        """
        found = {path.name: path for path in self._folders()}
        self._known = {name: known for name, known in self._known.items() if name in found}
        entries = [entry for path in found.values() if (entry := self._entry(path)) is not None]
        self.damaged = {entry.id: entry.damage for entry in entries if entry.damage}
        return sorted(entries, key=lambda entry: (entry.started, entry.id), reverse=True)

    def unfinished(self) -> list[RunEntry]:
        """Runs without a verdict that could be given one.

        Raises:
            OSError: as `runs`.
        """
        return [entry for entry in self.runs() if entry.verdict is None and not entry.damage]

    def newest(self) -> float | None:
        """Unix time of the last sign of any run; None without one that can be told."""
        try:
            return max((entry.ended or entry.started for entry in self.runs() if not entry.damage), default=None)
        except OSError:
            return None

    def last_judged(self, schedule: str) -> list[messages.TrialJudged]:
        """The trials of the last finished run of a schedule: what was known before a restart is known after it."""
        try:
            last = next((run for run in self.runs() if run.schedule == schedule and run.verdict is not None), None)
            if last is None:
                return []
            with Store.open(self.folder / last.id / FILE) as store:
                judgements = store.judgements()
                return [
                    _judged(body, judgements[body["index"]]) for body in store.trials() if body["index"] in judgements
                ]
        except Exception:  # noqa: BLE001  (a record of another version, or damaged in any way: no reason not to serve)
            return []

    def report(self, run: str, file: str) -> Path | None:
        """The path of a report; None where there is no such run or file. Names never leave the archive."""
        if not _ID.fullmatch(run) or file not in REPORTS:
            return None
        path = self.folder / run / file
        try:
            return path if path.is_file() and not path.is_symlink() and not path.parent.is_symlink() else None
        except OSError:
            return None

    def remove(self, run: str) -> bool:
        """Delete a run; whether it is gone."""
        if not _ID.fullmatch(run):
            return False
        shutil.rmtree(self.folder / run, ignore_errors=True)
        return not (self.folder / run).exists()

    def forget(self, run: str) -> None:
        """Read it anew: a report was written."""
        self._known.pop(run, None)

    def _folders(self) -> list[Path]:
        try:
            names = os.listdir(self.folder)  # noqa: PTH208  (names that are no text must not raise)
        except FileNotFoundError:
            return []
        return [self.folder / name for name in names if _ID.fullmatch(name)]

    def _entry(self, path: Path) -> RunEntry | None:
        """None for a folder in which no record was begun."""
        stamp = _stamp(path), _stamp(path / FILE)
        known = self._known.get(path.name)
        if known is not None and known[0] == stamp and time.monotonic() < known[1]:
            return known[2]
        try:
            if not _begun(path):
                return None
            entry: RunEntry | None = _read(path)
        except Exception as error:  # noqa: BLE001  (a record may be damaged in any way)
            _files_left()
            entry = self._damaged(path, one_line(error) or type(error).__name__)
        if entry is None:
            return None
        if entry.damage:
            # A long record that is damaged takes its time; but what failed may have been the disk.
            self._known[path.name] = stamp, time.monotonic() + DAMAGED_EVERY, entry
        elif entry.verdict is not None and "report.html" in entry.reports:
            self._known[path.name] = stamp, math.inf, entry
        return entry

    def _damaged(self, path: Path, damage: str) -> RunEntry | None:
        schedule, at = _told_by(path.name)
        if schedule in self._under_way() and path.name == self._newest_of(schedule):
            return None  # being made: the next look will tell
        reason = damage.replace(f"{path / FILE}: ", "").replace(f"{path}: ", "")
        return RunEntry(path.name, schedule, at, None, None, "", _room(path), (), f"{_DAMAGED}: {reason}")

    def _newest_of(self, schedule: str) -> str:
        return max((path.name for path in self._folders() if _told_by(path.name)[0] == schedule), default="")


def _begun(path: Path) -> bool:
    """Whether there is anything of a run. An empty folder is what a run leaves that was killed at its very start."""
    if path.is_symlink() or not path.is_dir():
        return True
    return any(path.iterdir())


def _read(path: Path) -> RunEntry:
    """A run, whatever its record raises; or what is wrong with it, as its damage."""
    if path.is_symlink() or (path / FILE).is_symlink():
        raise ValueError("a symbolic link, which is not followed")
    with Store.open(path / FILE) as store:
        meta = store.meta()
        if store.damage.facts or "meta" in store.damage.torn:
            raise ValueError("; ".join(store.damage.said({})))  # what is left of the facts says little
        store.trials(), store.judgements()
        damage = one_line("; ".join(store.damage.said({})))
    verdict = meta.get("verdict")
    started = _time(meta, "started")
    ended = None if meta.get("ended") is None else _time(meta, "ended")
    if verdict is not None and verdict not in EXIT_CODES:
        raise ValueError(f"no verdict: {verdict!r}")
    reports = tuple(name for name in REPORTS if (path / name).is_file())
    reason = one_line(meta.get("reason", ""))
    return RunEntry(path.name, _told_by(path.name)[0], started, ended, verdict, reason, _room(path), reports,
                    f"{_DAMAGED}: {damage}" if damage else "")  # fmt: skip


def _time(meta: Mapping[str, Any], key: str) -> float:
    value = meta.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST:
        raise ValueError(f"{key} = {value!r} is not a time")
    return float(value)


def _told_by(name: str) -> tuple[str, float]:
    """Schedule and Unix time that the name of a run tells."""
    matched = _ID.fullmatch(name)
    if matched is None:
        return "", 0.0
    try:
        at = datetime.strptime(matched["stamp"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        at = 0.0
    return matched["schedule"], at


def _files_left() -> None:
    """Raise where no file can be opened: then nothing can be said of a record.

    Raises:
        OSError: there are no descriptors left.
    """
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise


def _stamp(path: Path) -> object:
    """Changes when the file does."""
    try:
        seen = path.lstat()
    except OSError:
        return None
    return seen.st_ino, seen.st_size, seen.st_mtime_ns


def _room(path: Path) -> int:
    """Bytes of all that lies below; 0 for what went meanwhile: a run under way makes and removes files."""
    total = 0
    if path.is_symlink():
        return total
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(f"{folder}/{name}").st_size
            except OSError:
                continue
    return total


def _judged(body: Mapping[str, Any], judgement: Judgement) -> messages.TrialJudged:
    """Every type is as it says, or this raises."""
    known = {name: body[name] for name in ("workload", "framework", "mode")}
    told = {"trial": body["name"], "device": body.get("device", "cpu"), "control_passed": judgement.control_passed}
    return msgspec.convert({**known, **told, "outlook": outlook_of(judgement)}, messages.TrialJudged)
