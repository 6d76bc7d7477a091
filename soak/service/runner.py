"""Runs what is due: each run a fresh process tree of `soak run`, one at a time on a device, under the conditions."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from soak import live
from soak.service import conditions
from soak.service.archive import Archive, RunEntry
from soak.service.board import Board, Now, Waiting
from soak.service.config import ScheduleTable, ServiceConfig, duration_of
from soak.service.history import History
from soak.service.journal import Journal
from soak.service.retention import superfluous
from soak.verdict import EXIT_CODES

LOOK_EVERY = 5.0
"""Seconds between two looks at conditions, and at processes of others."""
_SEE_EVERY = 60.0
_LONGEST_LINE = 1 << 22


class Runner:
    """Owns the processes of all runs."""

    def __init__(
        self, config: ServiceConfig, board: Board, archive: Archive, history: History, journal: Journal,
        ended: Callable[[ScheduleTable], None],
    ) -> None:  # fmt: skip
        """Start nothing yet; `ended` is told each schedule whose run is over."""
        self.config = config
        self._board, self._archive, self._history, self._journal, self._ended = board, archive, history, journal, ended
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
        waits = any(waiting.schedule == name for waiting in self._board.waiting)
        if waits or (name in self._board.now and schedule.overlap == "skip"):
            self.missed(name, "the run before has not ended")
            return
        self._board.waiting.append(Waiting(name, schedule.device, time.time(), time.time()))
        self._wake.set()

    def missed(self, name: str, reason: str = "it was due too long ago") -> None:
        """A run does not take place."""
        self._history.of(name).missed += 1
        self._history.save()
        self._journal.warning(f"a run of {name} was missed: {reason}", SOAK_SCHEDULE=name)
        schedule = self._schedule(name)
        if schedule is not None and name not in self._board.now:
            self._ended(schedule)

    async def work(self) -> None:
        """Recover what was cut off, then start what waits, until cancelled."""
        await self._recover()
        while self._failure is None:
            self._wake.clear()
            await self._see_devices()
            await self._start_waiting()
            await self._yield()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_EVERY)
        raise self._failure

    async def close(self) -> None:
        """Ask every run to end, and wait until it has: the running trial is recorded as interrupted."""
        self._closing = True
        self._board.waiting.clear()
        for now in self._board.now.values():
            self._stop(now, "the service stops")
        if self._tasks:
            await asyncio.wait(self._tasks)

    # ---- starting

    async def _see_devices(self) -> None:
        """Every minute, since a driver that hangs takes its time."""
        if time.monotonic() - self._seen < _SEE_EVERY:
            return
        self._seen = time.monotonic()
        devices = {schedule.device for schedule in self.config.schedules}
        seen = await self._gpus(devices)
        self._board.devices = {device: device == "cpu" or device in seen for device in sorted(devices)}

    @staticmethod
    async def _gpus(devices: Iterable[str]) -> conditions.Gpus:
        """A look at all GPUs, where any of these is one."""
        return await asyncio.to_thread(conditions.gpus) if any(device != "cpu" for device in devices) else {}

    async def _start_waiting(self) -> None:
        for waiting in list(self._board.waiting):
            schedule = self._schedule(waiting.schedule)
            if schedule is None:
                self._board.waiting.remove(waiting)
                continue
            if schedule.device in self._busy:
                waiting.free = time.time()
            waiting.reason, lock = await self._hindrance(schedule)
            if lock is not None:
                self._board.waiting.remove(waiting)
                await self._start(schedule, lock)
            elif time.time() - waiting.free > self.config.conditions.patience:
                self._board.waiting.remove(waiting)
                self.missed(schedule.name, waiting.reason)

    async def _hindrance(self, schedule: ScheduleTable) -> tuple[str, int | None]:
        """Why it may not start now, or the lock of its device."""
        if schedule.device in self._busy:
            return f"{schedule.device} is used by the run of {self._busy[schedule.device]}", None
        others: list[int] = []
        if self.config.conditions.gpu_idle:
            others = conditions.computing(await self._gpus([schedule.device]), schedule.device, running=False)
        facts = conditions.facts(self.config.state, others)
        reason = conditions.hindrance(facts, self.config.conditions)
        if reason:
            return reason, None
        lock = _lock(self.config.state / "locks" / f"{schedule.device.replace(':', '-')}.lock")
        return ("", lock) if lock is not None else (f"{schedule.device} is used by a run of a service before", None)

    async def _start(self, schedule: ScheduleTable, lock: int) -> None:
        read, write = os.pipe()
        process = await asyncio.create_subprocess_exec(
            *self._command(schedule, write), stdin=asyncio.subprocess.DEVNULL, pass_fds=(write, lock),
            # Ctrl-C is for the service, which passes it on once; twice would end the run without a report.
            start_new_session=True,
            stdout=asyncio.subprocess.DEVNULL, cwd=self.config.path.parent,
        )  # fmt: skip
        os.close(write)
        os.close(lock)
        at = time.time()
        now = Now(schedule.name, schedule.device, process.pid, at, at)
        self._board.now[schedule.name] = now
        self._busy[schedule.device] = schedule.name
        past = self._history.of(schedule.name)
        past.done, past.last_start = schedule.fingerprint, at
        self._history.save()
        self._journal.info(f"a run of {schedule.name} begins", SOAK_SCHEDULE=schedule.name)
        task = asyncio.create_task(self._follow(schedule, now, process, read))
        self._tasks.add(task)
        task.add_done_callback(self._followed)

    def _followed(self, task: asyncio.Task[None]) -> None:
        """Whatever broke ends the service, which is then started anew and recovers: half a runner helps nobody."""
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failure = task.exception()
        self._wake.set()

    def _command(self, schedule: ScheduleTable, fd: int) -> list[str]:
        command = [sys.executable, "-P", "-m", "soak", "run", str(self.config.beside(schedule.config)),
                   "--device", schedule.device]  # fmt: skip
        command += ["--out", str(self._archive.folder), "--live", str(fd), "--set", f'run.name="{schedule.name}"']
        if duration := duration_of(schedule):
            command += ["--duration", duration]
        for trial in schedule.trials:
            command += ["--trial", trial]
        return command

    # ---- following

    async def _follow(self, schedule: ScheduleTable, now: Now, process: asyncio.subprocess.Process, fd: int) -> None:
        reader = asyncio.StreamReader(limit=_LONGEST_LINE)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb")
        )
        try:
            while line := await reader.readline():
                self._hear(now, line)
            code = await process.wait()
        finally:
            transport.close()
        self._finish(schedule, now, code)
        await self._tidy()

    def _hear(self, now: Now, line: bytes) -> None:
        try:
            message = live.decode(line)
        except msgspec.MsgspecError as error:
            self._journal.warning(f"{now.schedule}: a message that cannot be read: {error}", SOAK_RUN=now.run)
            return
        self._board.hear(now, message, time.time())
        tell = {"SOAK_SCHEDULE": now.schedule, "SOAK_RUN": now.run}
        if isinstance(message, live.Judged):
            say = self._journal.info if message.control_passed is not False else self._journal.warning
            outlook = message.outlook
            say(f"{now.schedule}: {message.trial}: {outlook.verdict}, {outlook.reason}", **tell,
                SOAK_TRIAL=message.trial, SOAK_VERDICT=outlook.verdict)  # fmt: skip
        elif isinstance(message, live.Note):
            self._journal.warning(f"{now.schedule}: {message.message}", **tell)
        elif isinstance(message, live.Ended) and message.reason != "finished":
            self._journal.warning(f"{now.schedule}: {message.trial} {message.reason}: {message.message}", **tell,
                                  SOAK_TRIAL=message.trial)  # fmt: skip

    def _finish(self, schedule: ScheduleTable, now: Now, code: int) -> None:
        verdict, reason = _outcome(now, code)
        self._board.finished(now, verdict)
        self._busy.pop(schedule.device, None)
        past = self._history.of(schedule.name)
        past.last_end, past.last_run, past.last_verdict = time.time(), now.run, verdict
        if verdict == "pass" and code == EXIT_CODES["pass"]:
            past.last_success = past.last_end
        self._history.save()
        say = self._journal.info if verdict == "pass" else self._journal.warning
        say(f"a run of {schedule.name} ended: {verdict}, {reason}", SOAK_SCHEDULE=schedule.name, SOAK_RUN=now.run,
            SOAK_VERDICT=verdict)  # fmt: skip
        if not self._closing:
            self._ended(schedule)

    def _stop(self, now: Now, reason: str) -> None:
        if not now.stopping:
            now.stopping = reason
            self._signal(now, signal.SIGTERM)

    def _signal(self, now: Now, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(now.pid, number)

    # ---- others, and what is left behind

    async def _yield(self) -> None:
        """Pause or end runs whose device another process uses, if that is asked for."""
        manner = self.config.conditions.yield_to_others
        running = list(self._board.now.values()) if manner != "no" else []
        seen = await self._gpus(now.device for now in running)
        for now in running:
            others = conditions.computing(seen, now.device, running=True)
            if others and manner == "end":
                self._journal.warning(f"{now.schedule}: process {others[0]} uses {now.device}: the run is ended")
                self._stop(now, "another process uses the device")
            elif bool(others) != now.paused and not now.stopping:
                now.paused = bool(others)
                self._signal(now, signal.SIGUSR1 if now.paused else signal.SIGUSR2)
                self._journal.info(f"{now.schedule}: the run {'is paused' if now.paused else 'goes on'}")

    async def _recover(self) -> None:
        """Close the records of runs that a service before could not end."""
        locks = await self._all_locks()
        for entry in self._archive.unfinished():
            self._journal.warning(f"{entry.id} was cut off: its record is closed", SOAK_RUN=entry.id)
            folder = str(self._archive.folder / entry.id)
            if await self._command_ends("soak.closing", folder) == 0:
                await self._command_ends("soak", "report", folder)
            self._archive.forget(entry.id)
        for lock in locks:
            os.close(lock)
        await self._tidy()

    async def _all_locks(self) -> list[int]:
        """Taken once no run of a service before is left on any device: each ends by itself, as its pipe has closed."""
        held: list[int] = []
        for path in sorted((self.config.state / "locks").glob("*.lock")):
            while (lock := _lock(path)) is None:
                await asyncio.sleep(0.5)
            held.append(lock)
        return held

    async def _command_ends(self, module: str, *words: str) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", module, *words, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        return await process.wait()

    async def _tidy(self) -> None:
        """Delete what need not be kept."""
        runs: list[RunEntry] = await asyncio.to_thread(self._archive.runs)
        for entry, reason in superfluous(runs, self.config.retention, time.time()):
            self._journal.info(f"{entry.id} is deleted: {reason}", SOAK_RUN=entry.id)
            await asyncio.to_thread(self._archive.remove, entry.id)

    def _schedule(self, name: str) -> ScheduleTable | None:
        return next((schedule for schedule in self.config.schedules if schedule.name == name), None)


def _lock(path: Path) -> int | None:
    """The lock of a device, held as long as the descriptor lives in any process; None where another holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _outcome(now: Now, code: int) -> tuple[str, str]:
    """Verdict and reason of a run that is over, whether it lived to tell them or not."""
    if now.concluded is not None:
        return now.concluded.verdict, now.concluded.reason
    if now.stopping:
        return "inconclusive", f"ended before it had begun: {now.stopping}"
    return "error", f"soak run ended with status {code}"
