"""Ends the trials of a supervisor that was killed: run as its own small process, it outlives soak by a moment.

It reads lines from standard input: `+PID CGROUP` (a trial began, in a session of that id, maybe in a cgroup of its
own) and `-PID` (it ended). When the pipe closes, because the supervisor is gone however it went, it kills what is left
of the sessions, removes their cgroups, and ends itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PROC = Path("/proc")


class Guardian:
    """The supervisor's end of the pipe."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-S", "-E", str(Path(__file__).resolve())]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    @property
    def pid(self) -> int:
        """Of the guardian process."""
        return self._process.pid

    def watch(self, session: int, cgroup: Path | None) -> None:
        """End this session, and remove its cgroup, if soak dies."""
        self._say(f"+{session} {cgroup or ''}\n")

    def release(self, session: int) -> None:
        """The trial has ended; whatever is left of its session is killed now."""
        self._say(f"-{session}\n")

    def _say(self, line: str) -> None:
        if self._process.stdin is None or self._process.poll() is not None:
            return
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            # The guardian itself was killed; the child's parent-death signal still holds.
            return

    def close(self) -> None:
        """Let it end."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=10)


def session_members(session: int, proc: Path = PROC) -> list[int]:
    """Pids whose session is `session`."""
    members = []
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        if len(fields) > 3 and int(fields[3]) == session:
            members.append(int(entry.name))
    return members


def _kill(session: int) -> None:
    for pid in session_members(session):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _remove(cgroup: Path, patience: float = 2.0) -> None:
    """The kernel keeps it while a killed process is still going."""
    deadline = time.monotonic() + patience
    while cgroup.is_dir() and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            cgroup.rmdir()
        time.sleep(0.02)


def main() -> None:
    """Follow the supervisor until it is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watched: dict[int, str] = {}
    for line in sys.stdin:
        session_id, _, cgroup = line[1:].rstrip("\n").partition(" ")
        session = int(session_id)
        if line[0] == "+":
            watched[session] = cgroup
        else:
            watched.pop(session, None)
            _kill(session)
    for session, cgroup in watched.items():
        _kill(session)
        if cgroup:
            _remove(Path(cgroup))


if __name__ == "__main__":
    main()
