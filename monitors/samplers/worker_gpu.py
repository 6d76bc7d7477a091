"""Device memory and pinned host memory according to the framework, sent with the worker's heartbeat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from monitors.model import MetricSpec, Roots, Sample, Sampler, SamplerScope, Target
from monitors.sources.beat import BeatReader

ALLOCATED = MetricSpec(
    "gpu_allocated_bytes", "bytes", "Device memory in live tensors", "gpu_allocated", judged=True
)  # fmt: skip
RESERVED = MetricSpec(
    "gpu_reserved_bytes", "bytes", "Device memory reserved by the framework's allocator", "gpu_reserved", judged=True
)
_PART, _MOMENT = "judged as a part of gpu_reserved_bytes", "a peak: what is held is judged"
CACHED = MetricSpec(
    "gpu_cached_bytes",
    "bytes",
    "Device memory that the framework's allocator keeps and no live tensor uses",
    unjudged=_PART,
)
FRAGMENTATION = MetricSpec(
    "gpu_fragmentation_bytes",
    "bytes",
    "Fragmentation: cached device memory in free parts of split blocks, which cannot be released",
    unjudged=_PART,
)
PEAK = MetricSpec(
    "gpu_peak_allocated_bytes",
    "bytes",
    "Peak of device memory in live tensors since the sample before",
    unjudged=_MOMENT,
)
PEAK_SINCE_START = MetricSpec(
    "gpu_peak_bytes", "bytes", "Peak of device memory in live tensors since the start", unjudged=_MOMENT
)
_TOLD = (
    ALLOCATED,
    RESERVED,
    MetricSpec("gpu_active_bytes", "bytes", "Device memory in blocks that are in use or waiting for a stream"),
    FRAGMENTATION,
    PEAK,
    PEAK_SINCE_START,
    MetricSpec("gpu_segments", "count", "Segments of device memory reserved by the allocator"),
    MetricSpec("gpu_alloc_retries", "count", "Allocations that were retried after emptying the cache", counter=True),
    MetricSpec("gpu_ooms", "count", "Allocations that failed", counter=True),
    MetricSpec("pinned_bytes", "bytes", "Page-locked host memory of the framework", "pinned", judged=True),
    MetricSpec("pinned_active_bytes", "bytes", "Page-locked host memory in use"),
    MetricSpec("golden_replays", "count", "Replays of the golden clip so far", counter=True),
)
_OF_HOST = ("pinned_bytes", "pinned_active_bytes", "golden_replays")
"""What is of no device, however many there are."""


class WorkerGpu:
    """The framework's allocator statistics, from the worker's heartbeat; nothing without a device."""

    specs: tuple[MetricSpec, ...] = (*_TOLD, CACHED)
    scope: SamplerScope = "beat"
    interval: float = 0.0

    def __init__(self, roots: Roots) -> None:
        self._beat = BeatReader()

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read the beat, if it is a new one."""
        samples = list(_of_device(self._beat.samples(target, _TOLD), target.devices))
        yield from samples
        known = {(sample.metric.name, sample.device): sample.value for sample in samples}
        for device in ("", *target.devices):
            allocated, reserved = known.get((ALLOCATED.name, device)), known.get((RESERVED.name, device))
            if allocated is not None and reserved is not None:
                yield Sample(CACHED, reserved - allocated, device=device)


def _of_device(samples: Iterable[Sample], devices: Sequence[str]) -> Iterator[Sample]:
    """With the only device of a member, of which its framework tells without a name. While it is not known, nothing."""
    for sample in samples:
        if sample.device or len(devices) != 1 or sample.metric.name in _OF_HOST:
            yield sample
        elif devices[0]:
            yield sample._replace(device=devices[0])


SAMPLER: type[Sampler] = WorkerGpu
