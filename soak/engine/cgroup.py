"""A cgroup of its own for a trial, where the system lets us: its memory and its OOM kills are then the trial's own."""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path
from typing import Self

PREFIX = "soak-"
"""Of the names of trials' cgroups, which end with the mark of the trial."""
MOUNT = Path("/sys/fs/cgroup")
ROOM = "SOAK_CGROUP"
"""Environment variable: the cgroup v2 directory below which trials may have theirs."""


class TrialCgroup:
    """One directory below soak's own cgroup; v1 memory controller or v2."""

    def __init__(self, path: Path, version: int) -> None:
        self.path = path
        self.version = version

    @classmethod
    def create(cls, name: str, limit: int | None, mount: Path = MOUNT, proc: Path = Path("/proc")) -> Self | None:
        """Make one with a limit in bytes; None where that is not permitted or not possible.

        name: of nobody else, as all that is in it is ended with the trial.
        """
        for parent, version in _own_cgroups(mount, proc):
            group = cls(parent / name, version)
            try:
                group.path.mkdir(exist_ok=True)
                if not (group.path / ("memory.current" if version == 2 else "memory.usage_in_bytes")).exists():
                    raise OSError("no memory controller here")
                group._limit(limit)
            except OSError:
                with contextlib.suppress(OSError):
                    group.path.rmdir()
                continue
            return group
        return None

    def _limit(self, limit: int | None) -> None:
        if limit is None:
            return
        self._write("memory.max" if self.version == 2 else "memory.limit_in_bytes", limit)
        # Without this a trial would be squeezed into swap instead of showing its growth.
        swap = {2: ("memory.swap.max", 0), 1: ("memory.memsw.limit_in_bytes", limit)}[self.version]
        with contextlib.suppress(OSError):
            self._write(*swap)

    def _write(self, file: str, value: int) -> None:
        (self.path / file).write_text(f"{value}\n")

    def add(self, pid: int) -> None:
        """Move a process in; its later children are born there."""
        self._write("cgroup.procs", pid)

    def oom_kills(self) -> int:
        """Processes of the trial that the kernel's OOM killer ended."""
        return _oom_kills(self.path, self.version)

    def remove(self) -> None:
        """Give it back; the kernel keeps it while a process is left in it."""
        with contextlib.suppress(OSError):
            self.path.rmdir()


def trial_cgroups(mount: Path = MOUNT, proc: Path = Path("/proc")) -> list[Path]:
    """Every cgroup of a trial beside those that this process would make, of whichever run."""
    return [path for parent, _ in _own_cgroups(mount, proc) for path in parent.glob(f"{PREFIX}*") if path.is_dir()]


def oom_kills_around(mount: Path = MOUNT, proc: Path = Path("/proc")) -> int:
    """Kills so far in the cgroup that soak itself is in: a trial without one of its own shares it."""
    return sum(_oom_kills(path, version) for path, version in _memory_cgroups(mount, proc))


def _oom_kills(path: Path, version: int) -> int:
    try:
        text = (path / ("memory.events" if version == 2 else "memory.oom_control")).read_text()
        return int(dict(line.split() for line in text.splitlines()).get("oom_kill", 0))
    except (OSError, ValueError):
        return 0


def _own_cgroups(mount: Path, proc: Path) -> list[tuple[Path, int]]:
    """Where a child cgroup with memory accounting could be made, best first."""
    given = [(Path(os.environ[ROOM]), 2)] if os.environ.get(ROOM) else []
    found = [*given, *_memory_cgroups(mount, proc)]
    return [(path, version) for path, version in found if path.is_dir() and os.access(path, os.W_OK)]


def _memory_cgroups(mount: Path, proc: Path) -> list[tuple[Path, int]]:
    """Soak's own, by version."""
    found: list[tuple[Path, int]] = []
    try:
        lines = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        hierarchy, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            found.append((mount / "memory" / path.lstrip("/"), 1))
        elif hierarchy == "0":
            found.append((mount / path.lstrip("/"), 2))
    return found


def limit_process(pid: int, limit: int) -> None:
    """The fallback without a cgroup: at most `limit` bytes of private memory for each process of the trial."""
    resource.prlimit(pid, resource.RLIMIT_DATA, (limit, limit))
