"""Ends what is left of trials, also those of a supervisor that was killed: run as its own small process.

It reads lines from standard input, fields apart by tabs: `+ KEY SESSION MARK CGROUP` (something began: a session, an
environment variable that its processes carry, maybe a cgroup of its own) and `- KEY` (it ended). What has ended, and
all when the pipe closes because the supervisor is gone however it went, is ended to the last process: also those that
left the session, as long as they are in the cgroup or carry the mark. Then the cgroup is removed. Each `-` is answered
by a line on standard output: `KEY ENDED LEFT NAMES`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
MARK = "SOAK_TRIAL"
"""Environment variable that every process of a trial inherits: `PID.START.NAMESPACE` of its supervisor, `.NUMBER`."""
PATIENCE = 10.0
"""Seconds for killed processes to be gone; one that is stuck in the kernel is left, and told."""
_NAMES = 5
_PR_SET_PDEATHSIG = 1
_DEAD = (b"Z", b"X")


@dataclass(frozen=True, slots=True)
class Watched:
    """What is ended together."""

    key: str
    session: int
    mark: str = ""
    """The value of `MARK`; empty for none."""
    cgroup: str = ""
    """Its directory; empty for none."""

    def line(self) -> str:
        """As it is told to the guardian."""
        return f"+\t{self.key}\t{self.session}\t{self.mark}\t{self.cgroup}\n"


def session_members(session: int, proc: Path = PROC) -> list[int]:
    """Pids whose session is `session`."""
    return [pid for pid, state, sid in _processes(proc) if sid == session and state not in _DEAD]


def members(watched: Iterable[Watched], proc: Path = PROC) -> dict[int, str]:
    """Living processes of what is watched, with their names; never this process."""
    watched = list(watched)
    sessions, marks = {w.session for w in watched}, {w.mark.encode() for w in watched if w.mark}
    grouped = {pid for w in watched if w.cgroup for pid in _in_cgroup(Path(w.cgroup))}
    found: dict[int, str] = {}
    for pid, state, session in _processes(proc):
        if state in _DEAD or pid == os.getpid():
            continue
        if session in sessions or pid in grouped or (marks and mark_of(pid, proc) in marks):
            found[pid] = _name(pid, proc)
    return found


def mark_of(pid: int, proc: Path = PROC) -> bytes | None:
    """The mark that a process carries; None without one, or where its environment may not be read."""
    key = f"{MARK}=".encode()
    with contextlib.suppress(OSError):
        for entry in (proc / str(pid) / "environ").read_bytes().split(b"\0"):
            if entry.startswith(key):
                return entry[len(key) :]
    return None


def _processes(proc: Path) -> Iterable[tuple[int, bytes, int]]:
    """Pid, state and session of every process."""
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        if len(fields) > 3:
            yield int(entry.name), fields[0], int(fields[3])


def _in_cgroup(cgroup: Path) -> list[int]:
    """Of it and of those below it."""
    pids: list[int] = []
    with contextlib.suppress(OSError):
        for folder in (cgroup, *(path for path in cgroup.rglob("*") if path.is_dir())):
            with contextlib.suppress(OSError):
                pids += map(int, (folder / "cgroup.procs").read_text().split())
    return pids


def _name(pid: int, proc: Path) -> str:
    try:
        return (proc / str(pid) / "comm").read_bytes().decode(errors="replace").strip()
    except OSError:
        return "?"


def end(watched: Iterable[Watched], patience: float = PATIENCE) -> tuple[dict[int, str], dict[int, str]]:
    """Kill every process until none is left, and remove the cgroups.

    Returns:
        Those that were killed, and those that are still there after `patience` seconds; pids and names.
    """
    watched = list(watched)
    until = time.monotonic() + patience
    killed: dict[int, str] = {}
    while left := members(watched):
        killed |= left
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > until:
            break
        time.sleep(0.02)
    for one in watched:
        if one.cgroup:
            _remove(Path(one.cgroup), until)
    return killed, left


def _remove(cgroup: Path, until: float) -> None:
    """With those below it; the kernel keeps it while a killed process is still going."""
    while cgroup.is_dir():
        with contextlib.suppress(OSError):
            for folder in sorted((path for path in cgroup.rglob("*") if path.is_dir()), reverse=True):
                folder.rmdir()
            cgroup.rmdir()
        if time.monotonic() > until:
            return
        time.sleep(0.02)


def main() -> None:
    """Follow the supervisor until it is gone."""
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN)
    # One that was stopped wakes up for its work.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGCONT)
    watched: dict[str, Watched] = {}
    for line in sys.stdin.buffer:
        if not line.endswith(b"\n"):
            break  # the supervisor died while it wrote
        verb, key, *fields = os.fsdecode(line[:-1]).split("\t")
        if verb == "+":
            watched[key] = Watched(key, int(fields[0]), *fields[1:])
        elif key in watched:
            killed, left = end([watched.pop(key)])
            _answer(key, killed, left)
    end(watched.values())


def _answer(key: str, killed: dict[int, str], left: dict[int, str]) -> None:
    names = ", ".join(sorted(set(killed.values()))[:_NAMES])
    with contextlib.suppress(OSError):
        os.write(1, f"{key}\t{len(killed)}\t{len(left)}\t{names}\n".encode(errors="replace"))


if __name__ == "__main__":
    main()
