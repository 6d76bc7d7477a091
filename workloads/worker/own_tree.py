"""What a process and those below it hold, as it reads it of itself in /proc at a probe.

The samplers of the supervisor read more, and at times of their own; this is read while the process does nothing else.
Standard library only. What cannot be read is absent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

PROC = Path("/proc")
_KIB = 1024.0


def read(proc: Path = PROC, pid: int | None = None) -> Mapping[str, float]:
    """Bytes and counts by metric name: anonymous, shared, their sum, descriptors, threads, children, zombies.

    proc: where processes are read. pid: the root of the tree; this process where it is left out.
    """
    root = os.getpid() if pid is None else pid
    tree = [(each, fields) for each in descendants(proc, root) if (fields := _status(proc / str(each)))]
    living = [(each, fields) for each, fields in tree if fields.get("State", "Z") != "Z"]
    if not living:
        return {}
    anonymous = sum(_bytes(fields, "RssAnon") + _bytes(fields, "VmSwap") for _, fields in living)
    shared = _shared(proc, living)
    found = {
        "anonymous_bytes": anonymous,
        "shared_bytes": shared,
        "total_bytes": anonymous + shared,
        "threads": float(sum(int(fields.get("Threads", 0)) for _, fields in living)),
        "children": float(len(tree) - 1),
        "zombies": float(len(tree) - len(living)),
    }
    descriptors = [_descriptors(proc / str(each)) for each, _ in living]
    return found if None in descriptors else {**found, "fds": float(sum(filter(None, descriptors)))}


def descendants(proc: Path, root: int) -> Iterator[int]:
    """The process itself and all below it, parents first."""
    waiting = [root]
    while waiting:
        pid = waiting.pop(0)
        yield pid
        waiting += _children(proc / str(pid))


def _children(folder: Path) -> list[int]:
    found: list[int] = []
    try:
        for task in (folder / "task").iterdir():
            found += map(int, (task / "children").read_text().split())
    except (OSError, ValueError):
        return found  # it has ended meanwhile, or the kernel does not tell
    return found


def _status(folder: Path) -> dict[str, str]:
    """Fields of /proc/PID/status, each by its first word; empty for a process that has ended."""
    try:
        lines = (folder / "status").read_text(errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {name: words[0] for name, _, rest in pairs if (words := rest.split())}


def _bytes(fields: Mapping[str, str], name: str) -> float:
    return float(fields.get(name, 0)) * _KIB


def _shared(proc: Path, living: list[tuple[int, dict[str, str]]]) -> float:
    """Of one process as it stands; of several, a page that they share is counted once."""
    if len(living) == 1:
        return _bytes(living[0][1], "RssShmem")
    return sum(_proportional(proc / str(pid), fields) for pid, fields in living)


def _proportional(folder: Path, fields: Mapping[str, str]) -> float:
    if not _bytes(fields, "RssShmem"):
        return 0.0  # to ask for its share costs more than all the rest
    try:
        lines = (folder / "smaps_rollup").read_text().splitlines()
        return next(float(line.split()[1]) * _KIB for line in lines if line.startswith("Pss_Shmem:"))
    except (OSError, ValueError, StopIteration):
        return _bytes(fields, "RssShmem")


def _descriptors(folder: Path) -> int | None:
    try:
        return sum(1 for _ in (folder / "fd").iterdir())
    except PermissionError:
        return None
    except OSError:
        return 0
