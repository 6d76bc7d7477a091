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
MEMBER = "SOAK_MEMBER"
"""Environment variable beside it: the number of the member in its trial, from 0."""
MAX_WAIT = 10.0
"""Seconds for killed processes to be gone; one that is stuck in the kernel is left, and told."""
_CHASE = 0.5
"""Seconds in one go to kill those that keep coming."""
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
    return variable_of(pid, MARK, proc)


def variable_of(pid: int, name: str, proc: Path = PROC) -> bytes | None:
    """What a process found in its environment when it began; None for nothing, or where that may not be read."""
    key = f"{name}=".encode()
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
    """Of it and of those below it; one of another namespace, which is listed as 0, is not ours to end."""
    pids: list[int] = []
    with contextlib.suppress(OSError):
        for folder in (cgroup, *(path for path in cgroup.rglob("*") if path.is_dir())):
            with contextlib.suppress(OSError):
                pids += map(int, (folder / "cgroup.procs").read_text().split())
    return [pid for pid in pids if pid not in (0, os.getpid())]


def _name(pid: int, proc: Path) -> str:
    """A process chooses it, line ends and tabs included; it is told on one line, between tabs."""
    try:
        said = (proc / str(pid) / "comm").read_bytes().decode(errors="replace").strip()
    except OSError:
        return "?"
    return "".join(one if one.isprintable() else "?" for one in said)


def end(watched: Iterable[Watched], max_wait: float = MAX_WAIT) -> tuple[dict[int, str], dict[int, str]]:
    """Kill every process until none is left, and remove the cgroups.

    Returns:
        Those that were killed, and those that are still there after `max_wait` seconds; pids and names.
    """
    watched = list(watched)
    cgroups = [Path(one.cgroup) for one in watched if one.cgroup]
    until = time.monotonic() + max_wait
    killed: dict[int, str] = {}
    while True:
        # Before the long look at every process: what forks and exits all the time is never seen by that.
        chased = {pid: name for cgroup in cgroups for pid, name in _kill_cgroup(cgroup).items()}
        found = members(watched)
        _kill(found)
        left = chased | found
        if not left:
            break
        killed |= left
        if time.monotonic() > until:
            break
        time.sleep(0.02)
    for cgroup in cgroups:
        _remove(cgroup, until)
    return killed, left


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _kill_cgroup(cgroup: Path) -> dict[int, str]:
    """Kill until nobody new is in it; who was, with names: the dead have theirs until somebody waits for them."""
    seen: dict[int, str] = {}
    until = time.monotonic() + _CHASE
    while (found := set(_in_cgroup(cgroup))) - seen.keys() and time.monotonic() < until:
        # Version 2 of cgroups kills all at once.
        with contextlib.suppress(OSError), (cgroup / "cgroup.kill").open("r+b", buffering=0) as file:
            file.write(b"1\n")
        _kill(found)
        seen |= {pid: _name(pid, PROC) for pid in found - seen.keys()}
    return seen


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
