"""Memory charged to the trial's own cgroup, including kernel memory and files in /dev/shm that no process maps."""

from __future__ import annotations

from collections.abc import Iterable

from monitors.model import MetricSpec, NoDataError, Roots, Sample, Sampler, SamplerScope, Target
from monitors.sources import cgroup
from monitors.sources.cgroup import CgroupUsage

ANONYMOUS = MetricSpec(
    "cgroup_anonymous_bytes", "bytes", "Anonymous memory and swap charged to the trial's cgroup",
    unjudged="judged as anonymous_bytes, and as part of cgroup_total_bytes",
)  # fmt: skip
FILE = MetricSpec(
    "cgroup_file_bytes", "bytes", "Page cache charged to the trial's cgroup, without shared memory",
    unjudged="page cache: the kernel reclaims it when memory is short",
)  # fmt: skip
SHARED = MetricSpec(
    "cgroup_shared_bytes", "bytes", "Shared memory and files in /dev/shm and other tmpfs charged to the trial's "
    "cgroup, whether a process maps them or not", "shared", judged=True,
)  # fmt: skip
KERNEL = MetricSpec(
    "kernel_bytes", "bytes", "Kernel memory and socket buffers charged to the trial's cgroup, without slab that the "
    "kernel reclaims when memory is short", "kernel", judged=True,
)  # fmt: skip
CHARGED = MetricSpec(
    "kernel_charged_bytes", "bytes", "Kernel memory and socket buffers charged to the trial's cgroup, with slab that "
    "the kernel reclaims when memory is short",
    unjudged="part of it is reclaimed when memory is short; the rest is judged as kernel_bytes, if the kernel "
    "separates it (not with cgroup v1)",
)  # fmt: skip
TOTAL = MetricSpec(
    "cgroup_total_bytes", "bytes", "All memory that the trial uses: anonymous memory, swap, shared memory and, if it "
    "can be measured (not with cgroup v1), kernel memory charged to its cgroup; no page cache",
    "total", judged=True,
)  # fmt: skip
OOM_KILLS = MetricSpec("oom_kills", "count", "Processes of the trial ended by the kernel's OOM killer", counter=True)


class CgroupMemory:
    """Reads the trial's own cgroup: memory of a shared cgroup cannot be attributed to a trial."""

    specs: tuple[MetricSpec, ...] = (ANONYMOUS, FILE, SHARED, KERNEL, CHARGED, TOTAL, OOM_KILLS)
    scope: SamplerScope = "trial"
    interval: float = 0.0

    def __init__(self, roots: Roots) -> None:
        pass

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read now.

        Raises:
            NoDataError: the trial has no cgroup of its own, or it is gone.
        """
        if target.cgroup is None:
            raise NoDataError("the trial has no cgroup of its own")
        memory = cgroup.read_memory(target.cgroup)
        if memory is None:
            raise NoDataError(f"{target.cgroup} accounts no memory")
        yield Sample(ANONYMOUS, memory.anonymous + (memory.swap or 0))
        yield Sample(FILE, memory.file)
        amounts = (
            (SHARED, memory.shared),
            (KERNEL, memory.kernel),
            (CHARGED, memory.kernel_charged),
            (TOTAL, _total(memory)),
            (OOM_KILLS, cgroup.read_oom_kills(target.cgroup)),
        )
        for metric, value in amounts:
            if value is not None:
                yield Sample(metric, value)


def _total(memory: CgroupUsage) -> int | None:
    # Shared memory counts as page cache where the kernel does not tell it apart: nothing could be said of the sum.
    if memory.shared is None:
        return None
    return memory.anonymous + (memory.swap or 0) + memory.shared + (memory.kernel or 0)


SAMPLER: type[Sampler] = CgroupMemory
