"""Counts of the trial's process tree: file descriptors, threads, child processes."""

from __future__ import annotations

from collections.abc import Iterable

from monitors.model import MetricSpec, NoDataError, Roots, Sample, Sampler, SamplerScope, Target
from monitors.sources import procfs
from monitors.sources.process_tree import TreeReader

FDS = MetricSpec("fds", "count", "Open file descriptors of the process tree", "fds", judged=True)
THREADS = MetricSpec("threads", "count", "Threads of the process tree", "threads", judged=True)
CHILDREN = MetricSpec(
    "children", "count", "Processes below the first one of the tree, zombies included; absent in rounds that may have "
    "missed one", "children", judged=True,
)  # fmt: skip
ZOMBIES = MetricSpec(
    "zombies", "count", "Of these, zombies: dead processes that have not been waited for", "children", judged=True
)


class ProcessCounts:
    """Counts over the process tree. If the descriptors of one process may not be read, the sum is unknown."""

    specs: tuple[MetricSpec, ...] = (FDS, THREADS, CHILDREN, ZOMBIES)
    scope: SamplerScope = "member"
    interval: float = 0.0

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._tree = TreeReader(roots)

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read now.

        Raises:
            NoDataError: the tree is gone, or a member's descriptors may not be read.
        """
        tree = self._tree.read(target)
        yield Sample(THREADS, sum(status.threads for status in tree.statuses()))
        if tree.complete:
            yield Sample(CHILDREN, len(tree.members) - 1)
            yield Sample(ZOMBIES, len(tree.members) - len(tree.living))
        yield Sample(FDS, sum(self._count_fds(pid) for pid in tree.living))

    def _count_fds(self, pid: int) -> int:
        try:
            # None is a member that vanished since: it holds nothing any more.
            return procfs.count_fds(self._roots.proc, pid) or 0
        except PermissionError as error:
            raise NoDataError(f"the descriptors of process {pid} may not be read") from error


SAMPLER: type[Sampler] = ProcessCounts
