"""What a worker held when it was probed: after it cleaned up (floors, which are judged), and after each stage.

The layers that a floor belongs to are those of the same amount as it is sampled all the time.
"""

from __future__ import annotations

from collections.abc import Iterable

from monitors.model import MetricSpec, NoDataError, Roots, Sample, Sampler, SamplerScope, Target, Unit

SETTLED = "settled"
"""The last stage of a probe."""
_KEPT = "after garbage collection, emptied caches and a trim"
_AMOUNTS: tuple[tuple[str, Unit, str, str | None], ...] = (
    ("host_heap_bytes", "bytes", "Live malloc blocks", "host_heap"),
    ("heap_held_bytes", "bytes", "Freed malloc memory in pages that are still in use", None),
    ("mmap_bytes", "bytes", "Live malloc blocks with their own mapping", None),
    ("anonymous_bytes", "bytes", "Anonymous resident memory and swap of the process tree", "anonymous"),
    ("shared_bytes", "bytes", "Resident shared memory of the process tree", "shared"),
    ("total_bytes", "bytes", "Anonymous memory, swap and shared memory of the process tree", "total"),
    ("python_blocks", "count", "Blocks in use in Python's small-object allocator", "python_objects"),
    ("fds", "count", "Open file descriptors of the process tree", "fds"),
    ("threads", "count", "Threads of the process tree", "threads"),
    ("children", "count", "Processes below the worker, zombies included", "children"),
    ("zombies", "count", "Ended processes below the worker that were not waited for", "children"),
    ("gpu_allocated_bytes", "bytes", "Device memory in tensors", "gpu_allocated"),
    ("gpu_reserved_bytes", "bytes", "Device memory that the framework's allocator has reserved", "gpu_reserved"),
    ("pinned_bytes", "bytes", "Page-locked host memory in use", "pinned"),
)
FLOORS = {
    name: MetricSpec(f"floor_{name}", unit, f"{about}, {_KEPT}", layer, judged=layer is not None)
    for name, unit, about, layer in _AMOUNTS
}
PROBED = {
    name: MetricSpec(f"probed_{name}", unit, f"{about}, after the stage of a probe that the label names", live=False)
    for name, unit, about, _ in _AMOUNTS
    if unit == "bytes" or name == "python_blocks"
}
"""Of these every stage before the last is recorded; the last is the floor."""
SECONDS = MetricSpec("probe_seconds", "seconds", "Duration of a probe, during which no step ran")


class WorkerProbe:
    """The results of the last probe; unknown values are absent."""

    specs: tuple[MetricSpec, ...] = (SECONDS, *FLOORS.values(), *PROBED.values())
    scope: SamplerScope = "probe"
    interval: float = 0.0

    def __init__(self, roots: Roots) -> None:
        pass

    def sample(self, target: Target) -> Iterable[Sample]:
        """The probe that has just come.

        Raises:
            NoDataError: there is none.
        """
        if not target.probe:
            raise NoDataError("it was not probed")
        yield Sample(SECONDS, target.probe_seconds)
        for stage, found in target.probe.items():
            for name, value in found.items():
                stem, device = _placed(name, target.devices)
                if device is None:
                    continue
                if stage == SETTLED and stem in FLOORS:
                    yield Sample(FLOORS[stem], value, device=device)
                elif stage != SETTLED and stem in PROBED:
                    yield Sample(PROBED[stem], value, stage, device=device)


def _placed(name: str, devices: tuple[str, ...]) -> tuple[str, str | None]:
    """An amount and the device that it is on, of `amount{N}`; None for a device that is not known."""
    stem, brace, place = name.partition("{")
    if not brace:
        return stem, ""
    number = place.removesuffix("}")
    known = number.isdigit() and int(number) < len(devices) and devices[int(number)]
    return stem, known or None


SAMPLER: type[Sampler] = WorkerProbe
