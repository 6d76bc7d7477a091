"""The worker's memory as seen from inside: its malloc heap and its Python objects."""

from __future__ import annotations

from collections.abc import Iterable

from monitors.model import MetricSpec, Roots, Sample, Sampler, SamplerScope, Target
from monitors.sources.beat import BeatReader


class WorkerHeap:
    """The worker's heap, from its heartbeat; unknown values are absent."""

    specs: tuple[MetricSpec, ...] = (
        MetricSpec("host_heap_bytes", "bytes", "Live malloc blocks of the worker", "host_heap", judged=True),
        MetricSpec("heap_held_bytes", "bytes", "Freed malloc memory that is still held", "heap_held", judged=True),
        MetricSpec("mmap_bytes", "bytes", "Live malloc blocks with their own mapping", "mmap",
                   unjudged="part of the live heap, and judged as host_heap_bytes"),
        MetricSpec("python_objects", "count", "Objects the garbage collector tracks", "python_objects", judged=True),
        MetricSpec("gc_collections", "count", "Passes of Python's garbage collector", counter=True),
        MetricSpec("gc_uncollectable", "count", "Objects that Python's garbage collector could not free"),
        MetricSpec("tracemalloc_bytes", "bytes", "Live memory of Python's allocators, where tracemalloc is on",
                   unjudged="part of the live heap, and judged as host_heap_bytes"),
    )  # fmt: skip
    scope: SamplerScope = "beat"
    interval: float = 0.0

    def __init__(self, roots: Roots) -> None:
        self._beat = BeatReader()

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read the beat, if it is a new one."""
        return self._beat.samples(target, self.specs)


SAMPLER: type[Sampler] = WorkerHeap
