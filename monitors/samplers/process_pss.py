"""Proportional and unique memory of the trial's process tree: exact but expensive, so read rarely."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from monitors.model import MetricSpec, NoDataError, Roots, Sample, Sampler, SamplerScope, Target
from monitors.read_cost import ReadCost
from monitors.sources import procfs
from monitors.sources.process_tree import TreeReader

_ELSEWHERE = "read rarely, because it is expensive; the memory of a process tree is judged as total_bytes"
PSS = MetricSpec(
    "pss_bytes", "bytes", "Resident memory of the process tree, shared pages divided among their users",
    unjudged=_ELSEWHERE,
)  # fmt: skip
USS = MetricSpec(
    "uss_bytes", "bytes", "Resident memory that no process outside of one member shares", unjudged=_ELSEWHERE
)

SHORTEST_INTERVAL = 60.0
COST = 0.001
"""Share of the time that reading may take: the process's address space is locked meanwhile."""


class ProcessPss:
    """Sum of /proc/PID/smaps_rollup over the process tree, read less often the longer it takes."""

    specs: tuple[MetricSpec, ...] = (PSS, USS)
    scope: SamplerScope = "member"

    def __init__(self, roots: Roots, clock: Callable[[], float] = time.perf_counter) -> None:
        self.interval: float = SHORTEST_INTERVAL
        self._roots = roots
        self._tree = TreeReader(roots)
        self._clock = clock
        self._cost = ReadCost(COST)

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read now.

        Raises:
            NoDataError: the tree is gone, the kernel has no rollup, or it may not be read.
        """
        tree = self._tree.read(target)
        living = tree.living
        began = self._clock()
        try:
            read = [procfs.read_rollup(self._roots.proc, pid) for pid in living]
        except PermissionError as error:
            raise NoDataError(f"{error.filename or 'smaps_rollup'} may not be read") from error
        finally:
            self.interval = max(SHORTEST_INTERVAL, self._cost.wait(self._clock() - began))
        rollups = [rollup for rollup in read if rollup is not None]
        if not rollups:
            raise NoDataError("no smaps_rollup" if tree.holds_memory() else f"process {tree.root} has ended")
        yield Sample(PSS, sum(rollup.pss for rollup in rollups))
        yield Sample(USS, sum(rollup.uss for rollup in rollups))


SAMPLER: type[Sampler] = ProcessPss
