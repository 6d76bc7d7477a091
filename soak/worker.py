"""One child process as seen from outside: spawn, messages, stacks, signals, exit."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import workloads
from soak.cgroup import TrialCgroup, limit_process, oom_kills_around
from soak.errors import SoakError
from soak.interpreter import environ_for
from soak.plan import Trial
from workloads import wire
from workloads.trial import to_json

BOOT = Path(workloads.__file__).parent / "boot.py"
_OPEN = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class Worker:
    """The process of one trial, in a session of its own and where possible in a cgroup of its own."""

    def __init__(self, trial: Trial, folder: Path, cgroup: TrialCgroup | None) -> None:
        """Start it.

        Args:
            trial: what to run.
            folder: where `worker.log` and `stacks.txt` of this trial are written.
            cgroup: joined before the framework is imported.

        Raises:
            SoakError: the interpreter cannot be started.
        """
        self.trial = trial
        self.folder = folder
        self.cgroup = cgroup
        self.limited_by = ""
        """What holds the memory limit: cgroup, rlimit, or empty without a limit."""
        self._buffer = b""
        self._killed_before = oom_kills_around()
        folder.mkdir(parents=True, exist_ok=True)
        log = os.open(folder / "worker.log", _OPEN, 0o644)
        stacks = os.open(folder / "stacks.txt", _OPEN, 0o644)
        self.fd, write = os.pipe()
        os.set_blocking(self.fd, False)
        command = [trial.python or sys.executable, "-P", str(BOOT), "--fd", str(write), "--stacks", str(stacks)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(write, stacks),
                env={**environ_for(trial.python, os.environ), **trial.env},
            )
        except OSError as error:
            os.close(self.fd)
            raise SoakError(f"{command[0]}: the worker cannot be started: {error.strerror}") from error
        finally:
            for descriptor in (log, stacks, write):
                os.close(descriptor)
        self._contain()
        self._order()

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
            limit_process(self.pid, limit)
        if limit is not None:
            self.limited_by = "cgroup" if self.cgroup else "rlimit"

    def _order(self) -> None:
        if self._process.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(to_json(self.trial.spec).encode() + b"\n")
            self._process.stdin.close()

    def read(self) -> tuple[list[wire.Message | wire.WireError], bool]:
        """Messages that have come, and whether the pipe has ended."""
        ended = False
        while True:
            try:
                chunk = os.read(self.fd, 65536)
            except BlockingIOError:
                break
            if not chunk:
                ended = True
                break
            self._buffer += chunk
        *lines, self._buffer = self._buffer.split(b"\n")
        messages: list[wire.Message | wire.WireError] = []
        if len(self._buffer) > wire.MAX_LINE:
            messages.append(wire.WireError(f"a message longer than {wire.MAX_LINE} bytes was dropped"))
            self._buffer = b""
        for line in lines:
            try:
                messages.append(wire.decode(line))
            except wire.WireError as error:
                messages.append(error)
        return messages, ended

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

    def stacks(self) -> str:
        """What was dumped so far."""
        return (self.folder / "stacks.txt").read_text(errors="replace")

    def log_tail(self, characters: int = 2000) -> str:
        """The end of what it printed."""
        return (self.folder / "worker.log").read_text(errors="replace")[-characters:].strip()

    def close(self) -> int:
        """Let go of the pipe; the number of OOM kills in the trial's cgroup.

        Without one, of those in soak's own that may have been this trial's.
        """
        os.close(self.fd)
        if self.cgroup is not None:
            return self.cgroup.oom_kills()
        return oom_kills_around() - self._killed_before if self.returncode() == -signal.SIGKILL else 0
