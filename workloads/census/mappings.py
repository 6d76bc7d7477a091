"""Mappings of this process by what they are, and files in /dev/shm by their prefix and whether anybody maps them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from workloads.census.belongings import PROC, prefix_of, without_numbers
from workloads.census.bounded import Group, add
from workloads.census.budget import Budget

SHM = Path("/dev/shm")  # noqa: S108  (it is only read)
_WALK = 0.02
"""Seconds for each GiB of resident memory that the kernel may take to walk its pages."""
_HEAD = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+) *(.*)$")
_ARENA = 64 << 20
"""Bytes that glibc reserves for each arena but the first, at a multiple of as many."""
_GUARD = 64 << 10
"""Bytes that lie below the stack of a thread at most, and cannot be used."""
_STACK = 64 << 20
_MOST_FILES = 50_000


class Mapping(NamedTuple):
    """One of /proc/PID/maps or smaps."""

    begin: int
    end: int
    access: str
    path: str
    resident: int | None
    """Bytes, swap included; None where they were not asked for."""


def parse(lines: Iterable[str]) -> Iterator[Mapping]:
    """Of /proc/PID/maps or smaps."""
    found: Mapping | None = None
    for line in lines:
        head = _HEAD.match(line)
        if head:
            if found is not None:
                yield found
            found = Mapping(int(head[1], 16), int(head[2], 16), head[3], head[5].strip(), None)
        elif found is not None and line.startswith(("Rss:", "Swap:")):
            found = found._replace(resident=(found.resident or 0) + 1024 * int(line.split()[1]))
    if found is not None:
        yield found


def mappings(budget: Budget, proc: Path = PROC) -> tuple[Group, set[str]]:
    """Mappings and resident bytes by kind, and the names of files in /dev/shm that are mapped."""
    folder = proc / str(os.getpid())
    name = "smaps" if budget.has(_WALK * _resident_gib(folder)) else "maps"
    if name == "maps":
        budget.leave_out("resident bytes of mappings")
    group: Group = {}
    mapped: set[str] = set()
    before: Mapping | None = None
    try:
        with (folder / name).open(errors="replace") as lines:
            for each in parse(lines):
                add(group, kind_of(each, before), each.resident)
                if each.path.startswith(f"{SHM}/"):
                    mapped.add(each.path.removeprefix(f"{SHM}/").removesuffix(" (deleted)"))
                before = each
    except OSError:
        return {}, set()
    return group, mapped


def _resident_gib(folder: Path) -> float:
    try:
        return int((folder / "statm").read_text().split()[1]) * 4096 / 2**30
    except (OSError, ValueError, IndexError):
        return 1.0


def kind_of(mapping: Mapping, before: Mapping | None = None) -> str:
    """What a mapping is, by its name, place and neighbour below."""
    path, size = mapping.path, mapping.end - mapping.begin
    if path.startswith("["):
        return without_numbers(path)
    if path:
        gone = "deleted " if path.endswith(" (deleted)") else ""
        folder, _, name = path.removesuffix(" (deleted)").rpartition("/")
        if folder == str(SHM):
            return f"{gone}file /dev/shm/{prefix_of(name)}"
        return f"{gone}file in {without_numbers(folder) or '/'}" if folder else prefix_of(path)
    if not mapping.access.startswith("rw"):
        return "reserved"
    if mapping.begin % _ARENA == 0 and size <= _ARENA:
        return "malloc arenas"
    guarded = before is not None and before.end == mapping.begin and before.access.startswith("---")
    if guarded and before is not None and not before.path and before.end - before.begin <= _GUARD and size <= _STACK:
        return "stacks of threads"
    return "anonymous"


def shared_files(budget: Budget, mapped: set[str], children: list[int], shm: Path = SHM, proc: Path = PROC) -> Group:
    """Files in /dev/shm of this user by their prefix, with what they take, and whether any of these maps them.

    mapped: names that this process maps. children: whose mappings count too.
    """
    group: Group = {}
    known = mapped | {name for pid in children[:16] for name in _mapped_by(proc / str(pid))}
    try:
        with os.scandir(shm) as entries:
            for number, entry in enumerate(entries):
                if number >= _MOST_FILES or not budget.has():
                    budget.leave_out("shared_files")
                    break
                _add(group, entry, known)
    except OSError:
        return group
    return group


def _add(group: Group, entry: os.DirEntry[str], mapped: set[str]) -> None:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return
    if status.st_uid == os.getuid():
        held = "mapped" if entry.name in mapped else "not mapped"
        add(group, f"{SHM}/{prefix_of(entry.name)}, {held}", float(status.st_blocks * 512))


def _mapped_by(folder: Path) -> Iterator[str]:
    try:
        with (folder / "maps").open(errors="replace") as lines:
            for line in lines:
                if (at := line.find(f"{SHM}/")) >= 0:
                    yield line[at + len(f"{SHM}/") :].rstrip("\n").removesuffix(" (deleted)")
    except OSError:
        return
