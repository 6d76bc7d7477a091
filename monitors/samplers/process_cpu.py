"""CPU time used by the trial's process tree."""

from __future__ import annotations

from collections.abc import Iterable

from monitors.model import MetricSpec, Roots, Sample, Sampler, SamplerScope, Target
from monitors.sources.process_tree import TreeReader

CPU = MetricSpec(
    "cpu_seconds", "seconds", "User and system CPU time of the process tree, including ended processes", counter=True
)


class ProcessCpu:
    """Sum over the process tree, including children that were waited for.

    The time of a member whose end nobody in the tree waited for leaves the sum; the highest sum so far then stands.
    """

    specs: tuple[MetricSpec, ...] = (CPU,)
    scope: SamplerScope = "member"
    interval: float = 0.0

    def __init__(self, roots: Roots) -> None:
        self._tree = TreeReader(roots)
        self._highest = 0.0

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read now."""
        members = self._tree.read(target).members.values()
        used = sum(stat.cpu_seconds + stat.reaped_cpu_seconds for stat in members)
        self._highest = max(self._highest, used)
        yield Sample(CPU, self._highest)


SAMPLER: type[Sampler] = ProcessCpu
