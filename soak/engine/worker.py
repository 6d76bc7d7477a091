"""One child process as seen from outside: spawn, messages, output, stacks, signals, exit."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import workloads
from soak.engine import confinement
from soak.engine.cgroup import TrialCgroup, limit_process, oom_kills_around
from soak.engine.channel import Intake
from soak.engine.guardian import MARK
from soak.engine.worker_log import WorkerLog
from soak.errors import SoakError
from soak.plan.interpreter import environ_for
from soak.plan.plan import Trial
from workloads.protocol import wire
from workloads.protocol.order import to_json

BOOT = Path(workloads.__file__).parent / "worker" / "boot.py"
_CHUNK = 1 << 16
_LONGEST_ORDER = 60_000
"""Bytes. A pipe holds 65,536."""
_LONGEST_STACKS = 1 << 18
"""Characters of the stacks that are read back."""


class Worker:
    """The process of one trial, in a session of its own and where possible in a cgroup of its own."""

    def __init__(self, trial: Trial, folder: Path, cgroup: TrialCgroup | None, mark: str, now: float) -> None:
        """Start it.

        Args:
            trial: what to run.
            folder: where `worker.log` and `stacks.txt` of this trial are written.
            cgroup: joined before the framework is imported.
            mark: value of the environment variable that tells its processes apart.
            now: monotonic seconds.

        Raises:
            SoakError: the interpreter cannot be started, or the folder not be written.
        """
        self.trial = trial
        self.cgroup = cgroup
        self.limited_by = ""
        """What holds the memory limit: cgroup, rlimit, or empty without a limit."""
        self.intake = Intake(now)
        self._order = to_json(trial.spec).encode() + b"\n"
        if len(self._order) > _LONGEST_ORDER:
            raise SoakError(
                f"{trial.name}: its options take {len(self._order)} bytes, at most {_LONGEST_ORDER} can be given"
            )
        self._killed_before = oom_kills_around()
        with contextlib.ExitStack() as opened:
            try:
                self._open(folder, opened)
                self._spawn(folder, mark, opened)
            except (OSError, ValueError) as error:
                what = getattr(error, "filename", None) or trial.python or sys.executable
                why = error.strerror if isinstance(error, OSError) else error
                raise SoakError(f"{what}: the worker cannot be started: {why}") from error
            self._opened = opened.pop_all()
        self._contain()
        self._give_order()

    def _open(self, folder: Path, opened: contextlib.ExitStack) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = WorkerLog(folder / "worker.log")
        opened.callback(self.log.close)
        self._stacks = WorkerLog(folder / "stacks.txt")
        opened.callback(self._stacks.close)

    def _spawn(self, folder: Path, mark: str, opened: contextlib.ExitStack) -> None:
        self.fd, write = os.pipe()
        opened.callback(os.close, self.fd)
        os.set_blocking(self.fd, False)
        command = [
            self.trial.python or sys.executable, "-P", str(BOOT), "--fd", str(write), "--stacks", str(self._stacks.fd)
        ]  # fmt: skip
        environ = confinement.environ(self.trial, folder, environ_for(self.trial.python, os.environ))
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=self.log.fd, stderr=self.log.fd, start_new_session=True,
                pass_fds=(write, self._stacks.fd), env={**environ, MARK: mark},
            )  # fmt: skip
        finally:
            os.close(write)

    @property
    def pid(self) -> int:
        """Of the worker, which is also its session."""
        return self._process.pid

    def _contain(self) -> None:
        """Before the order is given: the child waits for it, so nothing has been allocated yet."""
        if self.cgroup is not None:
            try:
                self.cgroup.add(self.pid)
            except OSError:
                self.cgroup.remove()
                self.cgroup = None
        limit = self.trial.memory_limit
        if limit is not None and self.cgroup is None:
            # A program that has ended at once needs no limit.
            with contextlib.suppress(ProcessLookupError):
                limit_process(self.pid, limit)
        if limit is not None:
            self.limited_by = "cgroup" if self.cgroup else "rlimit"

    def _give_order(self) -> None:
        """It fits into the pipe, so a program that does not read it holds nobody up."""
        if self._process.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(self._order)
            self._process.stdin.close()

    def read(self, now: float, last: bool = False) -> bool:
        """Take in what has come, as much as may be read now; whether the pipe has ended.

        last: whether the worker is gone, so that what is left in the pipe is read whatever came before.
        """
        room = wire.MAX_LINE if last else min(_CHUNK, self.intake.room(now))
        while room > 0:
            try:
                chunk = os.read(self.fd, min(_CHUNK, room))
            except BlockingIOError:
                return False
            if not chunk:
                return True
            room -= len(chunk)
            self.intake.feed(chunk)
        return False

    def dump_stacks(self) -> None:
        """Ask for the Python stacks of all its threads, into `stacks.txt`."""
        self._signal(signal.SIGUSR1)

    def terminate(self) -> None:
        """Ask it to finish its step and end."""
        self._signal(signal.SIGTERM)

    def pause(self) -> None:
        """Hold every process of its group where it is."""
        self._signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        """Let them go on."""
        self._signal_group(signal.SIGCONT)

    def kill(self) -> None:
        """End its whole process group now."""
        self._signal_group(signal.SIGKILL)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def returncode(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def trim_logs(self) -> None:
        """Begin anew what has grown too large: a worker may write its stacks as fast as its output."""
        self.log.trim()
        self._stacks.trim()

    def stacks(self) -> str:
        """What was dumped so far."""
        return self._stacks.tail(_LONGEST_STACKS)

    def dropped(self) -> Iterator[tuple[str, str, dict[str, int]]]:
        """What it sent or printed and is not kept: kind, words and data of an event."""
        if self.intake.dropped:
            said = f"{self.intake.dropped:,} notes came faster than they can be recorded, and were dropped"
            yield "notes_dropped", said, {"count": self.intake.dropped}
        if self.log.dropped:
            said = f"{self.log.dropped / 1e6:,.0f} MB of the worker's output were dropped: its log is bounded"
            yield "log_dropped", said, {"bytes": self.log.dropped}

    def close(self) -> int:
        """Let go of the pipe and the files; the number of OOM kills in the trial's cgroup.

        Without one, of those in soak's own that may have been this trial's.
        """
        self._opened.close()
        if self.cgroup is not None:
            return self.cgroup.oom_kills()
        return oom_kills_around() - self._killed_before if self.returncode() == -signal.SIGKILL else 0
