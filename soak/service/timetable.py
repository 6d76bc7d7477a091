"""When runs are due: the next time of each schedule, in a JSON file of their own, so that a restart forgets nothing.

What was due while the service was down runs once, late: due times that were missed are one, and a schedule says how
late is too late (`late`; unset: never). After a jump of the clock nothing is late and nothing is made up for: each next
time is reckoned anew from what the clock then says. Cron lines are APScheduler's; nothing of it is kept in files.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from apscheduler.triggers.cron import CronTrigger

from soak.service import files
from soak.service.config import ScheduleTable

FILE = "timetable.json"
BEFORE = "jobs.sqlite"
"""What earlier versions kept: the times are taken over, the pickled jobs are never looked into."""

AFTER_ERROR = 60.0
"""Seconds between two runs back to back, at least, when the first could not run."""


class Entry(msgspec.Struct):
    """One schedule."""

    fingerprint: str
    """Of the schedule; another one begins anew. Empty: whatever it is, as its time was taken over."""
    next: float | None
    """Unix time at which it is due; None: never again, as far as is known."""


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule whose time has come."""

    schedule: ScheduleTable
    late: bool
    """Whether that was too long ago."""


class Timetable:
    """The next times of all schedules. Times are Unix times, given."""

    def __init__(self, state: Path) -> None:
        """Read the file, or that of an earlier version."""
        self._path = state / FILE
        self.notes: list[str] = []
        """What became of files that could not be read as they were."""
        self._entries: dict[str, Entry] = self._read()
        self._schedules: dict[str, ScheduleTable] = {}
        self._unsaved = bool(self.notes)

    def replace(self, schedules: Iterable[ScheduleTable], done: Callable[[ScheduleTable], bool], now: float) -> None:
        """Other schedules from now on; those that did not change keep their next time.

        done: says of a schedule that is run once whether it was.
        """
        # What is not due again, as its run is under way, was cut off where this is the first time.
        before = {name: e for name, e in self._entries.items() if self._schedules or e.next is not None}
        self._schedules, self._entries = {schedule.name: schedule for schedule in schedules}, {}
        for name, schedule in self._schedules.items():
            kept = before.get(name)
            if kept is not None and kept.fingerprint in ("", schedule.fingerprint):
                self._entries[name] = Entry(schedule.fingerprint, _bounded(schedule, kept.next, now))
            elif schedule.at and done(schedule):
                self._entries[name] = Entry(schedule.fingerprint, None)
            else:
                self._entries[name] = Entry(schedule.fingerprint, _first(schedule, now))
        self._unsaved = True

    def due(self, now: float, trusted: bool = True) -> list[Due]:
        """What is due; each once, however often its time came meanwhile. A single time waits for a trusted clock."""
        found = []
        for name, entry in self._entries.items():
            schedule = self._schedules[name]
            if entry.next is None or entry.next > now or (schedule.at and not trusted):
                continue
            late = schedule.max_lateness is not None and now - entry.next > max(1.0, float(schedule.max_lateness))
            found.append(Due(schedule, late))
            entry.next = _after(schedule, entry.next, now)
            self._unsaved = True
        return found

    def again(self, schedule: ScheduleTable, at: float) -> None:
        """A run back to back has ended: the next is due then."""
        self._entries[schedule.name] = Entry(schedule.fingerprint, at)
        self._unsaved = True

    def jumped(self, now: float) -> None:
        """The clock jumped: everything that recurs begins anew from now on. A single time stays what it is."""
        for name, entry in self._entries.items():
            schedule = self._schedules[name]
            if entry.next is not None and not schedule.at:
                entry.next = now + float(schedule.pause) if schedule.back_to_back else _after(schedule, now, now)
                self._unsaved = True

    def next_runs(self) -> dict[str, float]:
        """When each schedule is due next; those that are never due again are left out."""
        return {name: entry.next for name, entry in self._entries.items() if entry.next is not None}

    def save(self) -> str:
        """Write what changed; why it could not be written, which is no reason to stop."""
        if not self._unsaved:
            return ""
        problem = files.save(self._path, self._entries)
        self._unsaved = bool(problem)
        return problem

    def _read(self) -> dict[str, Entry]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Entry])
        except FileNotFoundError:
            return self._taken_over()
        except (OSError, msgspec.MsgspecError, RecursionError):
            self.notes.append(f"{files.put_aside(self._path)}: damaged: all schedules restart from now")
            return {}

    def _taken_over(self) -> dict[str, Entry]:
        before = self._path.with_name(BEFORE)
        if not before.exists():
            return {}
        entries = {}
        with contextlib.suppress(sqlite3.Error, TypeError, ValueError), contextlib.closing(_opened(before)) as db:
            for name, at in db.execute("SELECT id, next_run_time FROM apscheduler_jobs"):
                entries[str(name)] = Entry("", None if at is None else float(at))
        aside = before.with_name(f"{BEFORE}.old")
        with contextlib.suppress(OSError):
            before.replace(aside)
        self.notes.append(f"{before} of an earlier version: {len(entries)} times were imported, it is now {aside}")
        return entries


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)


def _first(schedule: ScheduleTable, now: float) -> float | None:
    if schedule.at:
        return datetime.fromisoformat(schedule.at).timestamp()
    return now if schedule.back_to_back else _after(schedule, now, now)


def _bounded(schedule: ScheduleTable, kept: float | None, now: float) -> float | None:
    """A time that was kept, no later than the schedule allows: the clock may have been ahead when it was reckoned."""
    if kept is None or schedule.at:
        return kept
    latest = now + max(float(schedule.pause), AFTER_ERROR) if schedule.back_to_back else _after(schedule, now, now)
    return kept if latest is None else min(kept, latest)


def _after(schedule: ScheduleTable, due: float, now: float) -> float | None:
    """When a schedule that was due then is due next, after now."""
    if schedule.cron:
        # A moment later, as the answer may be the very time that is asked from.
        start = datetime.fromtimestamp(now + 0.001, UTC)
        fire = CronTrigger.from_crontab(schedule.cron).get_next_fire_time(None, start)
        return None if fire is None else float(fire.timestamp())
    if schedule.every is not None:
        every = max(1.0, float(schedule.every))
        return due + every * (max(0.0, now - due) // every + 1)
    return None
