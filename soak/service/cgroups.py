"""Memory of the service apart from that of its runs: a limit that holds the one, and none that holds the others.

In a delegated cgroup v2 (`Delegate=`) the service moves into a leaf of its own, which gets the limit; runs get another,
and trials cgroups beside both, as a cgroup that holds processes cannot give controllers to children. Elsewhere (with v1
systemd delegates to root only) the kernel limits the private memory of the process instead, and runs are freed of it.
"""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

from soak.engine.cgroup import MOUNT, ROOM
from soak.service.journal import Journal


class Leaves:
    """Where the processes of the service belong."""

    def __init__(self, runs: Path | None, hard: int) -> None:
        """`runs` is the cgroup of runs; without one, each is given the limit `hard` back."""
        self.runs, self._hard = runs, hard

    def adopt(self, pid: int) -> None:
        """Take a child that was just started out of what the service itself is held to."""
        with contextlib.suppress(OSError, ValueError):  # it has ended, or is held to it as well
            if self.runs is not None:
                (self.runs / "cgroup.procs").write_text(f"{pid}\n")
            else:
                resource.prlimit(pid, resource.RLIMIT_DATA, (self._hard, self._hard))


def delegate(journal: Journal, memory_max: int, mount: Path = MOUNT, proc: Path = Path("/proc")) -> Leaves:
    """Limit the service, and make room for trials below the unit's cgroup, where it is delegated."""
    unit = _unit(mount, proc)
    if unit is not None:
        try:
            return _leaves(unit, memory_max)
        except OSError as error:
            journal.warning(f"trials get no cgroups of their own: {unit}: {error.strerror}")
    return _limited(memory_max)


def _unit(mount: Path, proc: Path) -> Path | None:
    """The cgroup v2 of the unit, where this is one."""
    if "INVOCATION_ID" not in os.environ:
        return None
    lines = (proc / "self/cgroup").read_text().splitlines()
    path = next((line.split(":", 2)[2] for line in lines if line.startswith("0::")), "")
    unit = mount / path.lstrip("/")
    return unit if path.endswith(".service") and (unit / "cgroup.subtree_control").exists() else None


def _leaves(unit: Path, memory_max: int) -> Leaves:
    for name in ("service", "runs"):
        (unit / name).mkdir(exist_ok=True)
    (unit / "service" / "cgroup.procs").write_text(f"{os.getpid()}\n")
    (unit / "cgroup.subtree_control").write_text("+memory\n")
    (unit / "service" / "memory.max").write_text(f"{memory_max}\n")
    os.environ[ROOM] = str(unit)
    return Leaves(unit / "runs", -1)


def _limited(memory_max: int) -> Leaves:
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if soft == resource.RLIM_INFINITY or soft > memory_max:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_max, hard))
    return Leaves(None, hard)
