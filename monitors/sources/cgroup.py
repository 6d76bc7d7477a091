"""Reads a cgroup's memory, in both layouts: version 1 (memory controller) and version 2.

Amounts are in bytes and hold for the whole subtree. Unlimited is None, as is what this kernel does not say.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from monitors.model import Roots
from monitors.sources.files import ParseError, integer, keyed, lines_of, read

UNLIMITED_V1 = 1 << 62
"""Version 1 writes 'no limit' as the largest number of pages it can count."""

_V2_KERNEL_PARTS = ("slab", "kernel_stack", "pagetables", "percpu")
_V2_KEYS = ("anon", "file", "shmem", "kernel", "sock", "slab_reclaimable", *_V2_KERNEL_PARTS)
_V1_KEYS = ("total_rss", "total_cache", "total_shmem", "total_swap", "hierarchical_memory_limit")
_STAT = lines_of((*_V2_KEYS, *_V1_KEYS), " ")
_OOM_KILL = lines_of(["oom_kill"], " ")


@dataclass(frozen=True, slots=True)
class Cgroup:
    """Where the memory of a process is accounted."""

    path: Path
    version: int
    """1 (the memory controller's directory) or 2."""


@dataclass(frozen=True, slots=True)
class CgroupUsage:
    """What a cgroup holds, in bytes."""

    anonymous: int
    """Without what is swapped out."""
    swap: int | None
    file: int
    """Page cache without shared memory."""
    shared: int | None
    """tmpfs, shared anonymous memory, /dev/shm."""
    kernel: int | None
    """Kernel memory and socket buffers, without slab that the kernel gives back when asked; None where that part cannot
    be told."""
    kernel_charged: int | None = None
    """Kernel memory and socket buffers, that slab among them."""


def find(roots: Roots, pid: int) -> Cgroup | None:
    """The cgroup that accounts the memory of a process; None where it is gone or no controller is mounted."""
    path = f"{roots.proc}/{pid}/cgroup"
    content = read(path)
    if content is None:
        return None
    inside = _memberships(path, content)
    mounts = _mounts(f"{roots.proc}/self/mountinfo")
    # With both, the memory controller is where version 1 says it is; version 2 then has none.
    for version in (1, 2):
        if version in inside and version in mounts:
            root, point = mounts[version]
            relative = _below(root, inside[version])
            if relative is not None:
                return Cgroup(_rebased(roots, point) / relative, version)
    return None


def _memberships(path: str, content: bytes) -> dict[int, str]:
    found: dict[int, str] = {}
    for line in os.fsdecode(content).rstrip("\n").split("\n"):
        fields = line.split(":", 2)
        if len(fields) != 3:
            raise ParseError(path, "lines 'ID:CONTROLLERS:PATH'", content)
        if "memory" in fields[1].split(","):
            found[1] = fields[2]
        elif fields[0] == "0":
            found[2] = fields[2]
    return found


def _mounts(path: str) -> dict[int, tuple[str, str]]:
    """(root within the hierarchy, mount point) of the memory hierarchies, by version."""
    found: dict[int, tuple[str, str]] = {}
    for line in os.fsdecode(read(path) or b"").split("\n"):
        if not line:
            continue
        mount, separator, system = line.partition(" - ")
        before, after = mount.split(), system.split()
        if not separator or len(before) < 5 or len(after) < 3:
            raise ParseError(path, "lines 'ID PARENT DEVICE ROOT POINT … - TYPE SOURCE OPTIONS'", os.fsencode(line))
        if after[0] == "cgroup2":
            found.setdefault(2, (_unescaped(before[3]), _unescaped(before[4])))
        elif after[0] == "cgroup" and "memory" in after[-1].split(","):
            found.setdefault(1, (_unescaped(before[3]), _unescaped(before[4])))
    return found


def _unescaped(field: str) -> str:
    """Space, tab, newline and backslash are written as octal in mountinfo."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field)


def _below(root: str, path: str) -> str | None:
    """The cgroup's path as seen through the mount; None where the mount shows another part of the hierarchy."""
    inside = path.rstrip("/") + "/"
    top = root.rstrip("/") + "/"
    if not inside.startswith(top) or ".." in inside.split("/"):
        return None
    return inside.removeprefix(top).rstrip("/")


def _rebased(roots: Roots, point: str) -> Path:
    return roots.sys / point.removeprefix("/sys/") if point.startswith("/sys/") else Path(point)


def read_memory(path: Path) -> CgroupUsage | None:
    """memory.stat and its neighbours; None where the cgroup is gone or accounts no memory.

    Raises:
        ParseError: a file is of neither layout.
    """
    file = f"{path}/memory.stat"
    content = read(file)
    if content is None:
        return None
    stat = keyed(file, content, _STAT)
    if b"total_rss" in stat and b"total_cache" in stat:
        return _memory_v1(path, stat)
    if b"anon" in stat and b"file" in stat:
        return _memory_v2(path, stat)
    raise ParseError(file, "keys 'anon' and 'file', or 'total_rss' and 'total_cache'", content)


def _memory_v1(path: Path, stat: Mapping[bytes, int]) -> CgroupUsage:
    shared = stat.get(b"total_shmem")
    kernel = _number(path, "memory.kmem.usage_in_bytes")
    sockets = _number(path, "memory.kmem.tcp.usage_in_bytes")
    return CgroupUsage(
        anonymous=stat[b"total_rss"],
        swap=stat.get(b"total_swap"),
        file=max(0, stat[b"total_cache"] - (shared or 0)),
        shared=shared,
        # Version 1 counts directory entries, inodes and the bookkeeping of cached pages with the rest: all that is
        # read or written adds to it, until memory is short.
        kernel=None,
        kernel_charged=None if kernel is None else kernel + (sockets or 0),
    )


def _memory_v2(path: Path, stat: Mapping[bytes, int]) -> CgroupUsage:
    shared, kernel = stat.get(b"shmem"), _kernel_v2(stat)
    reclaimable = stat.get(b"slab_reclaimable")
    return CgroupUsage(
        anonymous=stat[b"anon"],
        swap=_number(path, "memory.swap.current"),
        file=max(0, stat[b"file"] - (shared or 0)),
        shared=shared,
        kernel=None if kernel is None or reclaimable is None else max(0, kernel - reclaimable),
        kernel_charged=kernel,
    )


def _kernel_v2(stat: Mapping[bytes, int]) -> int | None:
    """All kernel memory and socket buffers."""
    parts = [stat[key.encode()] for key in _V2_KERNEL_PARTS if key.encode() in stat]
    # The sum of all is there since Linux 5.18.
    whole = stat.get(b"kernel", sum(parts) if parts else None)
    if whole is None:
        return None
    return whole + stat.get(b"sock", 0)


def read_limit(cgroup: Cgroup) -> int | None:
    """The tightest hard limit that holds for the cgroup, its own or an ancestor's; None where there is none."""
    limits = _limits_v1(cgroup.path) if cgroup.version == 1 else _limits_v2(cgroup.path)
    return min(limits, default=None)


def _limits_v1(path: Path) -> list[int]:
    file = f"{path}/memory.stat"
    content = read(file) or b""
    found = [
        _number(path, "memory.limit_in_bytes"),
        keyed(file, content, _STAT).get(b"hierarchical_memory_limit"),
    ]
    return [limit for limit in found if limit is not None and limit < UNLIMITED_V1]


def _limits_v2(path: Path) -> list[int]:
    found = [_number(level, "memory.max") for level in (path, *path.parents)]
    return [limit for limit in found if limit is not None]


def read_oom_kills(path: Path) -> int | None:
    """Processes of the cgroup that the kernel's OOM killer ended; None before Linux 4.13."""
    for name in ("memory.events", "memory.oom_control"):
        content = read(f"{path}/{name}")
        if content is not None:
            return keyed(f"{path}/{name}", content, _OOM_KILL).get(b"oom_kill")
    return None


def _number(path: Path, name: str) -> int | None:
    file = f"{path}/{name}"
    content = read(file)
    return None if content is None or content.strip() == b"max" else integer(file, content, "a number or 'max'")
