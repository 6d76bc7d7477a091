"""All memory that a process tree uses, each page of shared memory counted once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from monitors.model import MetricSpec, NoDataError, Roots, Sample, Sampler, SamplerScope, Target
from monitors.read_cost import ReadCost
from monitors.sources import procfs
from monitors.sources.process_tree import TreeReader

TOTAL = MetricSpec(
    "total_bytes", "bytes", "All memory that the process tree uses: anonymous memory, swap and mapped shared memory. "
    "If several of its processes map shared memory, each counts its share of every page (smaps_rollup, read less often "
    "because it is expensive); if that cannot be read, the largest amount counts. Memory that no process maps (kernel, "
    "files in /dev/shm) is not included", "total", judged=True,
)  # fmt: skip
COST = 0.001
"""Share of the time that reading shares may take: the process's address space is locked meanwhile."""
SAVED = 60.0
"""Seconds whose share may be saved up, for what changes several times within a moment, as while a model is loaded."""
AGAIN = 60.0
"""Seconds after which shares are read again although processes map about as much as they did."""
NEAR = 262144
"""Bytes that processes may map more or less than when shares were read: so much growth is none (`least_growth_bytes`
of the judge). The shares are wrong by as much at most, until they are read again."""


class ProcessTotal:
    """Read in every round. Where several processes map shared memory, their shares hold as long as each of them maps as
    much as it did, to within `NEAR`, and are then read again; there is no sample where that would cost too much.

    A process that maps other shared memory in place of as much that it lets go of is noticed within `AGAIN`.
    """

    specs: tuple[MetricSpec, ...] = (TOTAL,)
    scope: SamplerScope = "member"
    interval: float = 0.0

    def __init__(self, roots: Roots, clock: Callable[[], float] = time.monotonic) -> None:
        self._roots = roots
        self._tree = TreeReader(roots)
        self._clock = clock
        self._cost = ReadCost(COST)
        self._due = float("-inf")
        self._maps: dict[int, int] = {}
        """Bytes that each process mapped when shares were read."""
        self._shared = 0
        """What was read."""
        self._read_at = float("-inf")

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read now; no sample where shares have changed and are not due to be read again.

        Raises:
            NoDataError: the tree is gone, or its kernel tells no anonymous memory.
        """
        tree = self._tree.read(target)
        # One that is ending has let go of its memory: the kernel tells none of its amounts, and there is none to count.
        statuses = {pid: status for pid, status in tree.by_pid().items() if status.rss is not None}
        if any(status.anonymous is None for status in statuses.values()):
            raise NoDataError("the kernel does not report anonymous memory")
        own = sum(status.anonymous + (status.swap or 0) for status in statuses.values() if status.anonymous is not None)
        maps = {pid: status.shared for pid, status in statuses.items() if status.shared}
        shared = sum(maps.values()) if len(maps) <= 1 else self._shares(maps)
        return [] if shared is None else [Sample(TOTAL, own + shared)]

    def _shares(self, maps: dict[int, int]) -> int | None:
        """Shared memory that several processes map, each page once; None where that is not known.

        maps: bytes that each process maps, by pid.
        """
        began = self._clock()
        if began < self._read_at + AGAIN and self._changed(maps) <= NEAR:
            return self._shared
        if began >= self._due:
            self._maps, self._shared, self._read_at = maps, self._read(maps), began
            self._due = max(self._due, began - SAVED) + self._cost.wait(self._clock() - began)
        return self._shared if self._changed(maps) <= NEAR else None

    def _changed(self, maps: dict[int, int]) -> int:
        """Bytes that processes map more or less than when shares were read."""
        return sum(abs(maps.get(pid, 0) - self._maps.get(pid, 0)) for pid in maps.keys() | self._maps.keys())

    def _read(self, maps: dict[int, int]) -> int:
        """The sum of the shares; the largest amount where they may not be read, or the kernel does not tell them."""
        try:
            read = [procfs.read_rollup(self._roots.proc, pid) for pid in maps]
        except PermissionError:
            return max(maps.values())
        shares = [rollup.pss_shared for rollup in read if rollup is not None]
        told = [share for share in shares if share is not None]
        return sum(told) if told and len(told) == len(shares) else max(maps.values())


SAMPLER: type[Sampler] = ProcessTotal
