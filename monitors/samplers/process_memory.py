"""Memory of the trial's whole process tree, from the kernel: resident, swapped, mapped."""

from __future__ import annotations

from collections.abc import Iterable

from monitors.model import MetricSpec, Roots, Sample, Sampler, SamplerScope, Target
from monitors.sources.process_tree import TreeReader
from monitors.sources.procfs import ProcessStatus

RSS = MetricSpec(
    "rss_bytes", "bytes", "Resident memory of the process tree; pages shared within it are counted repeatedly",
    unjudged="counts shared pages repeatedly, and page cache; its parts are judged as anonymous_bytes and shared_bytes",
)  # fmt: skip
ANONYMOUS = MetricSpec(
    "anonymous_bytes", "bytes", "Anonymous resident memory and swap of the process tree", "anonymous", judged=True
)
FILE = MetricSpec(
    "file_bytes", "bytes", "Resident pages of mapped files: the page cache, reclaimed when needed", "file",
    unjudged="page cache: the kernel reclaims it when memory is short",
)  # fmt: skip
SHARED = MetricSpec("shared_bytes", "bytes", "Resident shared memory mapped by the process tree", "shared", judged=True)
VIRTUAL = MetricSpec(
    "virtual_bytes", "bytes", "Address space of the process tree, reserved or used",
    unjudged="address space uses no memory until it is touched",
)  # fmt: skip


class ProcessMemory:
    """Sum of /proc/PID/status over the process tree. A process that ends while it is read is left out."""

    specs: tuple[MetricSpec, ...] = (RSS, ANONYMOUS, FILE, SHARED, VIRTUAL)
    scope: SamplerScope = "member"
    interval: float = 0.0

    def __init__(self, roots: Roots) -> None:
        self._tree = TreeReader(roots)

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read now."""
        statuses = self._tree.read(target).statuses()
        amounts = (
            (RSS, [status.rss for status in statuses]),
            (ANONYMOUS, [_anonymous(status) for status in statuses]),
            (FILE, [status.file for status in statuses]),
            (SHARED, [status.shared for status in statuses]),
            (VIRTUAL, [status.virtual for status in statuses]),
        )
        for metric, values in amounts:
            known = [value for value in values if value is not None]
            if known:
                yield Sample(metric, sum(known))


def _anonymous(status: ProcessStatus) -> int | None:
    return None if status.anonymous is None else status.anonymous + (status.swap or 0)


SAMPLER: type[Sampler] = ProcessMemory
