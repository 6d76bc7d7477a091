"""When runs are due: APScheduler, with its jobs in a SQLite file of their own, so that a restart forgets nothing.

What was due while the service was down runs once, late: due times that were missed are one (`coalesce`), and a schedule
says how late is too late (`late`; unset: never).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from apscheduler.events import EVENT_JOB_MISSED, JobEvent
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from soak.service.config import ScheduleTable

FILE = "jobs.sqlite"


def _nobody(name: str) -> None:
    """Before there is a timetable."""


_due: Callable[[str], None] = _nobody
"""Told of what is due: a job in a file can only name a function of a module."""


async def fire(name: str, fingerprint: str) -> None:
    """A job: the schedule of that name is due."""
    _due(name)


class Timetable:
    """The jobs of all schedules."""

    def __init__(self, state: Path, due: Callable[[str], None], missed: Callable[[str], None]) -> None:
        """Open the job store.

        Args:
            state: folder of the file.
            due: told the name of a schedule whose time has come.
            missed: told the name of one that is too late.
        """
        global _due
        _due = due
        self.damaged = _put_aside(state / FILE)
        """The file of jobs, where it could not be read and was put aside; else None."""
        self._store = SQLAlchemyJobStore(url=f"sqlite:///{state / FILE}")
        self._scheduler = AsyncIOScheduler(jobstores={"default": self._store})
        self._scheduler.add_listener(lambda event: missed(_name(event)), EVENT_JOB_MISSED)

    def start(self, schedules: Iterable[ScheduleTable], done: Callable[[ScheduleTable], bool]) -> None:
        """Begin; `done` says of a schedule that is run once whether it was."""
        self._scheduler.start(paused=True)
        self.replace(schedules, done)
        self._scheduler.resume()

    def replace(self, schedules: Iterable[ScheduleTable], done: Callable[[ScheduleTable], bool]) -> None:
        """Other schedules from now on; those that did not change keep their next time."""
        wanted = {schedule.name: schedule for schedule in schedules}
        for job in self._scheduler.get_jobs():
            schedule = wanted.get(job.id)
            if schedule is None or job.kwargs.get("fingerprint") != schedule.fingerprint:
                job.remove()
        for schedule in wanted.values():
            if self._scheduler.get_job(schedule.name) is None and not (schedule.at and done(schedule)):
                self._add(schedule, _trigger(schedule))
            elif self._scheduler.get_job(schedule.name) is not None:
                self._scheduler.modify_job(schedule.name, misfire_grace_time=_grace(schedule))

    def again(self, schedule: ScheduleTable, pause: float) -> None:
        """A run back to back has ended: the next is due after so many seconds."""
        self._add(schedule, DateTrigger(datetime.now(UTC) + timedelta(seconds=pause)))

    def next_runs(self) -> dict[str, float]:
        """Unix time at which each schedule is due next; those that are never due again are left out."""
        jobs = self._scheduler.get_jobs()
        return {job.id: job.next_run_time.timestamp() for job in jobs if job.next_run_time is not None}

    def stop(self) -> None:
        """Nothing is due any more; the jobs stay in their file."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _add(self, schedule: ScheduleTable, trigger: BaseTrigger) -> None:
        self._scheduler.add_job(
            fire, trigger, id=schedule.name, replace_existing=True, coalesce=True, max_instances=1,
            misfire_grace_time=_grace(schedule),
            kwargs={"name": schedule.name, "fingerprint": schedule.fingerprint},
        )  # fmt: skip


def _trigger(schedule: ScheduleTable) -> BaseTrigger:
    if schedule.cron:
        return CronTrigger.from_crontab(schedule.cron)
    if schedule.every is not None:
        return IntervalTrigger(seconds=max(1, round(float(schedule.every))))
    return DateTrigger(datetime.fromisoformat(schedule.at) if schedule.at else datetime.now(UTC))


def _grace(schedule: ScheduleTable) -> int | None:
    return None if schedule.late is None else max(1, round(float(schedule.late)))


def _name(event: JobEvent) -> str:
    return str(event.job_id)


def _put_aside(path: Path) -> Path | None:
    """A file that is damaged makes room: schedules begin anew, and the service lives."""
    if not path.exists():
        return None
    try:
        with sqlite3.connect(path) as db:
            sound = db.execute("PRAGMA quick_check").fetchone()[0] == "ok"
    except sqlite3.DatabaseError:
        sound = False
    return None if sound else path.replace(path.with_suffix(".damaged"))
