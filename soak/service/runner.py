"""Runs what is due: each run a fresh process tree of `soak run`, one at a time on a device, under the conditions."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from soak.engine.confinement import HIDDEN
from soak.judge.verdict import EXIT_CODES
from soak.runs import launch, messages
from soak.runs.lines import Read, Unreadable, read_pipe
from soak.runs.process import RunProcess
from soak.service import conditions
from soak.service.aftercare import Aftercare, lock_of, why
from soak.service.archive import Archive
from soak.service.cgroups import Leaves
from soak.service.config import ScheduleTable, ServiceConfig, duration_of
from soak.service.history import History
from soak.service.journal import Journal
from soak.service.state import Now, ServiceState, Waiting
from soak.service.steady import Steady

LOOK_EVERY = 5.0
"""Seconds between two looks at conditions, and at processes of others."""
_SEE_EVERY = 60.0


class Runner:
    """Owns the processes of all runs."""

    def __init__(
        self, config: ServiceConfig, state: ServiceState, archive: Archive, history: History, journal: Journal,
        steady: Steady, ended: Callable[[ScheduleTable], None],
    ) -> None:  # fmt: skip
        """Start nothing yet; `ended` is told each schedule whose run is over."""
        self.config = config
        self.hidden: tuple[Path, ...] = ()
        """What no trial may read."""
        self.leaves: Leaves | None = None
        self._steady, self._troubles = steady, state.troubles
        self._aftercare = Aftercare(lambda: self.config, archive, journal, steady, state.troubles, self._adopt)
        self._state, self._archive, self._history, self._journal, self._ended = state, archive, history, journal, ended
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._closing = False
        self._seen = -_SEE_EVERY
        self._failure: BaseException | None = None
        self._busy: dict[str, str] = {}
        """Schedule whose run holds each device."""

    def due(self, name: str) -> None:
        """The time of a schedule has come."""
        schedule = self._schedule(name)
        if schedule is None or self._closing:
            return
        waits = any(waiting.schedule == name for waiting in self._state.waiting)
        if waits or (name in self._state.now and schedule.overlap == "skip"):
            self.missed(name, "the previous run has not ended")
            return
        now = self._steady.now()
        self._state.waiting.append(Waiting(name, schedule.device, now, now))
        self._wake.set()

    def missed(self, name: str, reason: str = "it was too late to start") -> None:
        """A run does not take place."""
        self._history.of(name).missed += 1
        self._save()
        self._journal.warning(f"a run of {name} was missed: {reason}", SOAK_SCHEDULE=name)
        schedule = self._schedule(name)
        if schedule is not None and name not in self._state.now:
            self._ended(schedule)

    async def work(self) -> None:
        """Recover what was cut off, then start what waits, until cancelled."""
        recovered = False
        # Python 3.11 loses a cancellation that comes together with the wake: the end is told by the state as well.
        while self._failure is None and not self._closing:
            self._wake.clear()
            try:
                if not recovered:
                    await self._aftercare.recover()
                    recovered = True
                await self._look_after()
            except OSError as error:
                # No disk, no descriptor, no process to be had: all that is due waits, and this is tried again.
                self._troubles.report("start", f"no run can be started: {why(error)}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_EVERY)
        if self._failure is not None:
            raise self._failure

    async def _look_after(self) -> None:
        await self._see_devices()
        await self._start_waiting()
        await self._yield()
        await self._aftercare.close_records()

    async def close(self) -> None:
        """Ask every run to end, and wait until it has: the running trial is recorded as interrupted."""
        self._closing = True
        self._state.waiting.clear()
        for now in self._state.now.values():
            self._stop(now, "the service is stopping")
        if self._tasks:
            await asyncio.wait(self._tasks)

    # ---- starting

    async def _see_devices(self) -> None:
        """Every minute, since a driver that hangs takes its time."""
        if time.monotonic() - self._seen < _SEE_EVERY:
            return
        self._seen = time.monotonic()
        devices = {device for schedule in self.config.schedules for device in schedule.devices}
        seen = await self._gpus(devices)
        self._state.devices = {device: device == "cpu" or device in seen for device in sorted(devices)}

    @staticmethod
    async def _gpus(devices: Iterable[str]) -> conditions.Gpus:
        """A look at all GPUs, where any of these is one."""
        return await asyncio.to_thread(conditions.gpus) if any(device != "cpu" for device in devices) else {}

    async def _start_waiting(self) -> None:
        for waiting in list(self._state.waiting):
            schedule = self._schedule(waiting.schedule)
            if schedule is None:
                self._state.waiting.remove(waiting)
                continue
            if self._taken(schedule):
                waiting.free = self._steady.now()
            try:
                waiting.reason = await self._hindrance(schedule)
                locks = () if waiting.reason else self._locked(schedule, waiting)
                if locks:
                    await self._start(schedule, locks)
                    self._state.waiting.remove(waiting)
                    self._troubles.report("start", "")
                    continue
            except OSError as error:
                self._not_started(schedule, waiting, error)
            if self._steady.now() - waiting.free > self.config.conditions.max_wait:
                self._state.waiting.remove(waiting)
                self.missed(schedule.name, waiting.reason)

    def _not_started(self, schedule: ScheduleTable, waiting: Waiting, error: OSError) -> None:
        """It stays due, and is tried again."""
        waiting.reason = f"it cannot be started: {why(error)}"
        self._history.of(schedule.name).failed += 1
        self._save()
        self._troubles.report("start", f"a run of {schedule.name} cannot be started: {why(error)}")

    def _save(self) -> None:
        """What cannot be written is tried again by the service, which tells when that is over."""
        if problem := self._history.save():
            self._troubles.report("state", problem)

    def _taken(self, schedule: ScheduleTable) -> str:
        """One of its devices that a run of ours has; empty where there is none."""
        return next((device for device in schedule.devices if device in self._busy), "")

    async def _hindrance(self, schedule: ScheduleTable) -> str:
        """Why it may not start now; empty where it may."""
        if taken := self._taken(schedule):
            return f"{taken} is used by the run of {self._busy[taken]}"
        others: list[int] = []
        if self.config.conditions.gpu_idle:
            others = conditions.computing(await self._gpus(schedule.devices), schedule.devices, running=False)
        facts = conditions.facts(self.config.state, others)
        return conditions.hindrance(facts, self.config.conditions)

    def _locked(self, schedule: ScheduleTable, waiting: Waiting) -> tuple[int, ...]:
        """The locks of all its devices; none where a run of a service before has one of them."""
        with contextlib.ExitStack() as taken:
            locks: list[int] = []
            for device in schedule.devices:
                lock = lock_of(self.config.state / "locks" / f"{device.replace(':', '-')}.lock")
                if lock is None:
                    waiting.reason = f"{device} is in use by a run of an earlier service"
                    return ()
                taken.callback(os.close, lock)
                locks.append(lock)
            taken.pop_all()
        return tuple(locks)

    async def _start(self, schedule: ScheduleTable, locks: tuple[int, ...]) -> None:
        hidden = {HIDDEN: json.dumps(list(map(str, self.hidden)))}
        try:
            process = RunProcess(self._words(schedule), cwd=self.config.path.parent, env=hidden, held=locks)
        finally:
            for lock in locks:
                os.close(lock)
        self._adopt(process.pid)
        at = time.time()
        now = Now(schedule.name, schedule.device, process, at, self._steady.now())
        self._state.now[schedule.name] = now
        self._busy |= dict.fromkeys(schedule.devices, schedule.name)
        past = self._history.of(schedule.name)
        past.done, past.last_start = schedule.fingerprint, at
        self._save()
        self._journal.info(f"a run of {schedule.name} started", SOAK_SCHEDULE=schedule.name)
        task = asyncio.create_task(self._follow(schedule, now))
        self._tasks.add(task)
        task.add_done_callback(self._followed)

    def _adopt(self, pid: int) -> None:
        if self.leaves is not None:
            self.leaves.adopt(pid)

    def _followed(self, task: asyncio.Task[None]) -> None:
        """Whatever broke ends the service, which is then started anew and recovers: half a runner helps nobody."""
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failure = task.exception()
        self._wake.set()

    def _words(self, schedule: ScheduleTable) -> list[str]:
        return launch.run_words(
            self.config.beside(schedule.config), out=self._archive.folder, device=schedule.device,
            duration=duration_of(schedule), trials=schedule.trials, overrides=[f'run.name="{schedule.name}"'],
        )  # fmt: skip

    # ---- following

    async def _follow(self, schedule: ScheduleTable, now: Now) -> None:
        async with contextlib.aclosing(read_pipe(now.process.pipe)) as told:
            async for message in told:
                self._on_message(now, message)
            code = await asyncio.to_thread(now.process.wait)
        self._finish(schedule, now, code)
        if now.concluded is not None and now.run and not self._aftercare.has_report(now.run):
            self._aftercare.unreported(now.run)
        await self._aftercare.tidy()

    def _on_message(self, now: Now, message: Read) -> None:
        if isinstance(message, Unreadable):
            self._journal.warning(f"{now.schedule}: {message.message}", SOAK_RUN=now.run)
            return
        self._state.on_message(now, message, self._steady.now())
        report = {"SOAK_SCHEDULE": now.schedule, "SOAK_RUN": now.run}
        if isinstance(message, messages.TrialJudged):
            say = self._journal.info if message.control_passed is not False else self._journal.warning
            outlook = message.outlook
            say(f"{now.schedule}: {message.trial}: {outlook.verdict}, {outlook.reason}", **report,
                SOAK_TRIAL=message.trial, SOAK_VERDICT=outlook.verdict)  # fmt: skip
        elif isinstance(message, messages.Note):
            self._journal.warning(f"{now.schedule}: {message.message}", **report)
        elif isinstance(message, messages.TrialEnded) and message.reason != "finished":
            self._journal.warning(f"{now.schedule}: {message.trial} {message.reason}: {message.message}", **report,
                                  SOAK_TRIAL=message.trial)  # fmt: skip

    def _finish(self, schedule: ScheduleTable, now: Now, code: int) -> None:
        verdict, reason = _outcome(now, code)
        self._state.finished(now, verdict)
        for device in schedule.devices:
            self._busy.pop(device, None)
        past = self._history.of(schedule.name)
        past.last_end, past.last_run, past.last_verdict = time.time(), now.run, verdict
        if verdict == "pass" and code == EXIT_CODES["pass"]:
            past.last_success = past.last_end
        self._save()
        say = self._journal.info if verdict == "pass" else self._journal.warning
        say(f"a run of {schedule.name} ended: {verdict}, {reason}", SOAK_SCHEDULE=schedule.name, SOAK_RUN=now.run,
            SOAK_VERDICT=verdict)  # fmt: skip
        if now.concluded is None and now.run:
            self._aftercare.cut_off(now.run)
        if not self._closing:
            self._ended(schedule)

    def _stop(self, now: Now, reason: str) -> None:
        if not now.stopping:
            now.stopping = reason
            now.process.stop()

    # ---- others

    async def _yield(self) -> None:
        """Pause or end runs whose device another process uses, if that is asked for."""
        manner = self.config.conditions.yield_to_others
        running = list(self._state.now.values()) if manner != "no" else []
        seen = await self._gpus(device for now in running for device in now.devices)
        for now in running:
            others = conditions.computing(seen, now.devices, running=True)
            if others and manner == "end":
                self._journal.warning(f"{now.schedule}: process {others[0]} uses {now.device}: the run is stopped")
                self._stop(now, "another process uses the device")
            elif bool(others) != now.paused and not now.stopping:
                now.paused = bool(others)
                hold, said = (now.process.pause, "is paused") if others else (now.process.resume, "goes on")
                hold()
                self._journal.info(f"{now.schedule}: the run {said}")

    def _schedule(self, name: str) -> ScheduleTable | None:
        return next((schedule for schedule in self.config.schedules if schedule.name == name), None)


def _outcome(now: Now, code: int) -> tuple[str, str]:
    """Verdict and reason of a run that is over, whether it lived to tell them or not."""
    if now.concluded is not None:
        return now.concluded.verdict, now.concluded.reason
    if now.stopping:
        return "inconclusive", f"ended before it started: {now.stopping}"
    return "error", f"soak run ended with status {code}"
