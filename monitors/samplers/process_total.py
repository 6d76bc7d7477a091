"""All memory that a process tree uses, each page of shared memory counted once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from monitors.model import MetricSpec, NoDataError, Roots, Sample, Sampler, SamplerScope, Target
from monitors.sources import procfs
from monitors.sources.process_tree import ProcessTree, TreeReader

TOTAL = MetricSpec(
    "total_bytes", "bytes", "All memory that the process tree uses: anonymous memory, swap and mapped shared memory. "
    "If several of its processes map shared memory, each counts its share of every page (smaps_rollup, read less often "
    "because it is expensive); if that cannot be read, the largest amount counts. Memory that no process maps (kernel, "
    "files in /dev/shm) is not included", "total", judged=True,
)  # fmt: skip
COST = 0.001
"""Share of the time that reading shares may take: the process's address space is locked meanwhile."""


class ProcessTotal:
    """Exact in every round if at most one process of the tree maps shared memory; otherwise when shares are read."""

    specs: tuple[MetricSpec, ...] = (TOTAL,)
    scope: SamplerScope = "member"
    interval: float = 0.0

    def __init__(self, roots: Roots, clock: Callable[[], float] = time.monotonic) -> None:
        self._roots = roots
        self._tree = TreeReader(roots)
        self._clock = clock
        self._due = float("-inf")

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read now; between two reads of shares there is no sample.

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
        shared = sum(maps.values()) if len(maps) <= 1 else self._shares(tree, maps)
        return [] if shared is None else [Sample(TOTAL, own + shared)]

    def _shares(self, tree: ProcessTree, maps: dict[int, int]) -> int | None:
        """Shared memory that several processes map, each page once; None where it is not due to be read again."""
        began = self._clock()
        if began < self._due:
            return None
        try:
            read = [procfs.read_rollup(self._roots.proc, pid) for pid in maps]
        except PermissionError:
            return max(maps.values())
        self._due = began + (self._clock() - began) / COST
        shares = [rollup.pss_shared for rollup in read if rollup is not None]
        told = [share for share in shares if share is not None]
        return sum(told) if told and len(told) == len(shares) else max(maps.values())


SAMPLER: type[Sampler] = ProcessTotal
