"""The supervisor's side of the guardian: what it is told, what it answers, and another one where it is gone."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from soak.engine import guardian
from soak.engine.clock import Clock
from soak.engine.guardian import PROC, Watched
from soak.engine.signals import is_stopped, signal_name

AGAIN = 1.0
"""Seconds between two tries to start one."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was ended of something that had ended by itself. names: of the processes."""

    key: str
    ended: int
    left: int
    names: str


class Guard:
    """Starts a guardian, and another one as soon as it is gone or stopped; nothing that was told is lost."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watched: dict[str, Watched] = {}
        self._released: set[str] = set()
        """Told to have ended, and not answered yet."""
        self._process: subprocess.Popen[bytes] | None = None
        self._answers = b""
        self._tried = clock.monotonic()
        self._trouble = ""
        self._never = threading.Event()
        self._start()

    @property
    def pid(self) -> int | None:
        """Of the guardian."""
        return self._process.pid if self._process else None

    def watch(self, watched: Watched) -> None:
        """End this if soak dies."""
        self._watched[watched.key] = watched
        self._say(watched.line())

    def release(self, key: str) -> None:
        """It has ended; whatever is left of it is ended now."""
        if key in self._watched:
            self._released.add(key)
            self._say(f"-\t{key}\n")

    def poll(self) -> tuple[list[Cleared], str]:
        """What was cleared since the last call, and what happened to the guardian itself; empty where nothing did."""
        cleared = self._read()
        trouble = self._gone()
        if trouble:
            self._end()
            self._trouble = trouble
        if self._process is None and self._clock.monotonic() - self._tried >= (0 if trouble else AGAIN):
            why = self._trouble or "it could not be started"
            if self._start():
                self._trouble = ""
                return cleared, f"the guardian of the trials ended: {why}; it was restarted"
        return cleared, ""

    def close(self, max_wait: float = 2 * guardian.MAX_WAIT) -> list[Cleared]:
        """Let it end everything that is still watched, and wait for that."""
        for key in list(self._watched):
            if key not in self._released:
                self.release(key)
        cleared: list[Cleared] = []
        until = self._clock.monotonic() + max_wait
        while self._watched and self._clock.monotonic() < until:
            more, _ = self.poll()
            cleared += more
            self.pause()
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=2.0)
        self._end()
        return cleared

    def pause(self) -> None:
        """A moment, for something to be gone."""
        self._clock.wait_event(self._never, 0.02)

    def _start(self) -> bool:
        """Whether that was possible now; `poll` tries again."""
        self._tried = self._clock.monotonic()
        command = [sys.executable, "-P", "-S", "-E", str(Path(guardian.__file__).resolve())]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
        except OSError:
            self._process = None
            return False
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        for watched in self._watched.values():
            self._say(watched.line())
        for key in self._released:
            self._say(f"-\t{key}\n")
        return True

    def _gone(self) -> str:
        if self._process is None:
            return ""
        code = self._process.poll()
        if code is not None:
            return f"killed by {signal_name(-code)}" if code < 0 else f"it ended with status {code}"
        return "it was stopped" if is_stopped(self._process.pid) else ""

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2.0)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self._process, self._answers = None, b""

    def _say(self, line: str) -> None:
        if self._process is None or self._process.stdin is None:
            return
        # One that is gone is told everything again by `poll`.
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(os.fsencode(line))
            self._process.stdin.flush()

    def _read(self) -> list[Cleared]:
        if self._process is None or self._process.stdout is None:
            return []
        with contextlib.suppress(OSError):
            self._answers += self._process.stdout.read() or b""
        *lines, self._answers = self._answers.split(b"\n")
        found = []
        for line in lines:
            key, ended, left, names = line.decode(errors="replace").split("\t", 3)
            self._released.discard(key)
            self._watched.pop(key, None)
            found.append(Cleared(key, int(ended), int(left), names))
        return found


def new_mark(number: int, proc: Path = PROC) -> str:
    """For the environment of a trial: this supervisor, and a number of its own in it."""
    return f"{_supervisor(proc / 'self')}.{number}"


def _supervisor(process: Path) -> str:
    """Who a process is, now and for ever: its pid, when it started, and the namespace in which that is its pid."""
    pid, _, fields = (process / "stat").read_bytes().partition(b" ")
    started = fields.rpartition(b")")[2].split()[19].decode()
    space = (process / "ns/pid").readlink().name.strip("pid:[]")
    return f"{int(pid)}.{started}.{space}"


def left_behind(cgroups: Iterable[Path], proc: Path = PROC) -> list[Watched]:
    """Trials of supervisors that are gone, of which something is left: their guardian was killed with them.

    cgroups: of trials, by names that end with the mark.
    """
    marks: dict[str, str] = {}
    for entry in proc.iterdir():
        if entry.name.isdigit() and (mark := guardian.mark_of(int(entry.name), proc)) is not None:
            marks.setdefault(mark.decode(errors="replace"), "")
    marks |= {path.name.rpartition("-")[2]: str(path) for path in cgroups}
    me = _supervisor(proc / "self")
    return [Watched(mark, -1, mark, group) for mark, group in sorted(marks.items()) if _is_orphaned(mark, me, proc)]


def _is_orphaned(mark: str, me: str, proc: Path) -> bool:
    supervisor, _, _ = mark.rpartition(".")
    pid, _, _ = supervisor.partition(".")
    if supervisor.rpartition(".")[2] != me.rpartition(".")[2] or not pid.isdigit():
        return False
    try:
        return _supervisor(proc / pid) != supervisor
    except (OSError, ValueError, IndexError):
        return not (proc / pid).exists()
