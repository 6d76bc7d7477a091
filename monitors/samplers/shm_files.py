"""Files in /dev/shm that no process maps, for a trial without its own cgroup."""

from __future__ import annotations

import os
import re
import time
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

from monitors.model import MetricSpec, NoDataError, Roots, Sample, Sampler, SamplerScope, Target
from monitors.read_cost import ReadCost
from monitors.sources.files import read
from monitors.sources.process_tree import TreeReader
from monitors.sources.tmpfs import files

FILES = MetricSpec(
    "shm_files_bytes", "bytes", "Files in /dev/shm that are new since the trial began, belong to its user and are not "
    "mapped by its processes. The program that created a file is unknown: files whose name has the pid of another "
    "living process are excluded, files of other programs of the same user may be included. Only if the trial has no "
    "cgroup of its own, and no other trial runs at the same time", "shared", judged=True,
)  # fmt: skip
COST = 0.01
"""Share of the time that looking may take: soak's own, of which the trial notices nothing."""
_LONGEST = 60.0
"""Seconds between two looks at most."""
_AT_ONCE = 10.0
"""Seconds after which another trial that was not read is over."""
_NUMBER = re.compile(r"(?<![0-9A-Za-z])\d{2,7}(?![0-9A-Za-z])")
"""A part of a name that may be the number of a process; not digits within a random word."""
_MARK = b"SOAK_TRIAL="
"""In the environment of every process of a trial, of any run."""


class ShmFiles:
    """Files in /dev/shm that no process maps; read less often the longer it takes."""

    specs: tuple[MetricSpec, ...] = (FILES,)
    scope: SamplerScope = "trial"
    _read: ClassVar[weakref.WeakKeyDictionary[ShmFiles, float]] = weakref.WeakKeyDictionary()
    """When each trial of this process was read last."""

    def __init__(self, roots: Roots, clock: Callable[[], float] = time.monotonic) -> None:
        self.interval: float = 0.0
        self._roots, self._clock = roots, clock
        self._tree = TreeReader(roots)
        self._cost = ReadCost(COST)
        self._before: frozenset[int] | None = None
        """Inodes of the files that were there; a number that is given again is that of a new file only once it was
        free, so it leaves this set when its file is gone."""
        self._others: dict[int, bool] = {}
        """Whether a file is of another program, by its name."""

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read now.

        Raises:
            NoDataError: a cgroup is charged for them, other trials may have made them, or the trial is gone.
        """
        if target.cgroup is not None:
            raise NoDataError("the trial's cgroup is charged for files in /dev/shm")
        tree = self._tree.read(target)
        began = self._clock()
        self._read[self] = began
        if any(other is not self and began - at < _AT_ONCE for other, at in self._read.items()):
            raise NoDataError("other trials run at the same time: files in /dev/shm cannot be attributed to one trial")
        user = _user(tree.proc, tree.root)
        if _others_run(tree.proc, tree.root):
            self.interval = min(_LONGEST, self._cost.wait(self._clock() - began))
            raise NoDataError("trials of another run are running: files in /dev/shm cannot be attributed to one trial")
        found = {inode: file for inode, file in files(self._roots.shm).items() if file.uid == user}
        self._before = frozenset(found) if self._before is None else self._before & found.keys()
        mapped = {inode for pid in tree.living for inode in _mapped(tree.proc, pid, self._roots.shm)}
        held = 0
        for inode, file in found.items():
            if inode in self._before or inode in mapped:
                continue
            if inode not in self._others:
                self._others[inode] = _of_another(file.name, tree.proc, tree.members.keys())
            held += 0 if self._others[inode] else file.bytes
        self._others = {inode: other for inode, other in self._others.items() if inode in found}
        self.interval = min(_LONGEST, self._cost.wait(self._clock() - began))
        return [Sample(FILES, held)]


def _others_run(proc: Path, root: int) -> bool:
    """Whether a process of another trial runs, of any run. root: of this trial."""
    own = _mark(proc, root)
    pids = (int(folder.name) for folder in proc.iterdir() if folder.name.isdigit())
    return any(mark not in (b"", own) for mark in (_mark(proc, pid) for pid in pids))


def _mark(proc: Path, pid: int) -> bytes:
    """Of the trial that a process belongs to; empty for none, and for one that may not be read."""
    return next((each for each in _environ(proc, pid).split(b"\0") if each.startswith(_MARK)), b"")


def _environ(proc: Path, pid: int) -> bytes:
    """Empty where it may not be read, or there is no such process."""
    try:
        return read(f"{proc}/{pid}/environ") or b""
    except OSError:
        return b""


def _user(proc: Path, pid: int) -> int | None:
    try:
        return (proc / str(pid)).stat().st_uid
    except OSError:
        return None


def _mapped(proc: Path, pid: int, folder: Path) -> Iterable[int]:
    """Inodes of the files in the folder that a process maps."""
    try:
        content = read(f"{proc}/{pid}/maps") or b""
    except PermissionError:
        return
    wanted = os.fsencode(f" {folder}/")
    for line in content.split(b"\n"):
        if wanted in line:
            yield int(line.split(maxsplit=5)[4])


def _of_another(name: str, proc: Path, own: Iterable[int]) -> bool:
    """Whether a name holds the number of a living process that is none of the trial's."""
    numbers = {int(number) for number in _NUMBER.findall(name)}
    # A thread of the kernel has no environment, and makes no files.
    return not numbers & set(own) and any(_environ(proc, number) for number in numbers)


SAMPLER: type[Sampler] = ShmFiles
