"""What the stages of a trial's probes took away: garbage, caches, memory that the allocator retained. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from monitors.detection.floors import ENOUGH, PREFIX
from monitors.detection.series import Floats, Series
from monitors.units import format_value

_STAGE = "probed_"
_HEAP, _TOTAL, _RESERVED = "host_heap_bytes", "total_bytes", "gpu_reserved_bytes"
_TOLD_FROM = 1 << 20
"""Bytes between two probes from which on it is told what a stage took."""


@dataclass(frozen=True, slots=True)
class CleanedUp:
    """Amounts are medians over the probes of a trial, in bytes, summed over its members."""

    count: int
    """Probes."""
    seconds: float
    """That all of them took together, of the member of which they took most."""
    garbage: float
    """Taken by garbage collection: what Python's own collector had not come to."""
    cached: float
    """Taken by emptying the caches of frameworks, and by the workload's own clean-up."""
    retained: float
    """Taken by a trim: freed memory that the allocator kept."""

    @property
    def enough(self) -> bool:
        """Whether floors are what the trial is judged by."""
        return self.count >= ENOUGH


def of_trial(series: Iterable[Series]) -> CleanedUp | None:
    """What its probes took away; None where there was no probe."""
    known = {(one.member, one.metric.name, one.label): one for one in series if len(one.t)}
    members = {member for member, name, _ in known if name == f"{PREFIX}{_TOTAL}"}
    if not members:
        return None
    seconds = [one.values.sum() for (_, name, _), one in known.items() if name == "probe_seconds"]
    count = max(len(known[member, f"{PREFIX}{_TOTAL}", ""].t) for member in members)

    def taken(stage: str, before: str, metrics: Sequence[str]) -> float:
        return sum(max(_median(known, member, name, before, stage) for name in metrics) for member in members)

    return CleanedUp(
        count, float(max(seconds, default=0.0)), taken("collected", "as_is", (_HEAP, _TOTAL)),
        taken("emptied", "collected", (_HEAP, _TOTAL, _RESERVED)), taken("trimmed", "emptied", (_TOTAL,)),
    )  # fmt: skip


def said(found: CleanedUp, types: str = "") -> str:
    """In words, what is worth it; empty where nothing is. types: of garbage, where a census told them."""
    notes = []
    if found.garbage >= _TOLD_FROM:
        amount = format_value(found.garbage, "bytes")
        cycles = f"{amount} of cycles between collections{f', from these types: {types}' if types else ''}"
        notes.append(f"Python's collector runs too rarely: {cycles}; this is not a leak")
    if found.cached >= _TOLD_FROM:
        notes.append(f"caches held {format_value(found.cached, 'bytes')} that were freed when emptied")
    if found.retained >= _TOLD_FROM:
        notes.append(f"the allocator retained {format_value(found.retained, 'bytes')} that malloc_trim gave back")
    return "; ".join(notes)


def _median(known: dict[tuple[str, str, str], Series], member: str, name: str, before: str, after: str) -> float:
    """How much less was held after a stage than before it, at the usual probe; 0 where that is not known."""
    first, then = (known.get((member, f"{_STAGE}{name}", stage)) for stage in (before, after))
    if first is None or then is None:
        return 0.0
    _, one, other = np.intersect1d(first.t, then.t, assume_unique=True, return_indices=True)
    taken: Floats = first.values[one] - then.values[other]
    return max(0.0, float(np.median(taken))) if len(taken) else 0.0
