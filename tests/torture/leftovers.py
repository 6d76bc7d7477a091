"""What a run has on the machine: processes, cgroups, files. Processes are told by a mark in their environment."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

MARK = "TORTURE_ROUND"
PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
SHM = Path("/dev/shm")

ROLES = (
    ("guardian", "guardian.py"),
    ("worker", "boot.py"),
    ("judge", "soak.judge.trial"),
    ("closing", "soak.engine.closing"),
    ("gpu", "soak.gpu.reader"),
    ("report", "soak report"),
    ("service", "soak serve"),
    ("supervisor", "soak run"),
)
"""How the processes of soak are told apart by their command lines, the surest first."""


def processes(mark: str, proc: Path = PROC) -> dict[int, str]:
    """Command line of every process with this mark, by pid; zombies are gone already."""
    wanted, found = f"{MARK}={mark}\0".encode(), {}
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes() + b"\0" and _state(entry) != b"Z":
                found[int(entry.name)] = _command(entry)
    return found


class Glances:
    """The same many times a second: who was seen to be a stranger is not asked again."""

    def __init__(self, mark: str, proc: Path = PROC) -> None:
        self._wanted, self._proc = f"{MARK}={mark}\0".encode(), proc
        self._strangers: set[str] = set()

    def look(self) -> dict[int, str]:
        """Command lines by pid."""
        found = {}
        there = {entry.name for entry in self._proc.iterdir() if entry.name.isdigit()}
        self._strangers &= there
        for name in there - self._strangers:
            with contextlib.suppress(OSError):
                entry = self._proc / name
                if self._wanted not in (entry / "environ").read_bytes() + b"\0":
                    self._strangers.add(name)
                elif _state(entry) != b"Z":
                    found[int(name)] = _command(entry)
        return found


def _state(entry: Path) -> bytes:
    return (entry / "stat").read_bytes().rpartition(b")")[2].split()[0]


def _command(entry: Path) -> str:
    return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()


def role(command: str) -> str:
    """What a process is in a run; `child` for what a workload has started."""
    return next((name for name, told in ROLES if told in command), "child")


def pids(found: dict[int, str], wanted: str) -> list[int]:
    """Those of one role."""
    return sorted(pid for pid, command in found.items() if role(command) == wanted)


def cgroups(name: str, mount: Path = CGROUPS) -> list[str]:
    """Directories of the trials of runs of this name, in every hierarchy."""
    found: list[str] = []
    for folder, below, _ in os.walk(mount):
        found += [str(Path(folder, one)) for one in below if one.startswith(f"soak-{name}-")]
    return sorted(found)


def shared(name: str, folder: Path = SHM) -> list[str]:
    """Shared memory that bears the name of a run."""
    return sorted(str(path) for path in folder.iterdir() if name in path.name) if folder.is_dir() else []


def settled(look: Callable[[], object], seconds: float) -> float:
    """Wait until there is nothing to see any more; the seconds that it took."""
    began = time.monotonic()
    while look() and time.monotonic() - began < seconds:
        time.sleep(0.05)
    return time.monotonic() - began


def end_all(mark: str) -> None:
    """Kill what has this mark: the harness cleans up behind a fault."""
    for _ in range(20):
        found = processes(mark)
        if not found:
            return
        for pid in found:
            send(pid, signal.SIGKILL)
        time.sleep(0.1)


def remove_cgroups(name: str) -> None:
    """The same for cgroups."""
    for path in sorted(cgroups(name), reverse=True):
        with contextlib.suppress(OSError):
            Path(path).rmdir()


def send(pid: int, number: int) -> bool:
    """Send a signal; whether it reached a process."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
