"""The lines of Python that allocate what stays, where a trial asks for it: tracemalloc, taken from time to time."""

from __future__ import annotations

from typing import Any

from workloads.protocol import wire
from workloads.worker.every import Every

TRACE_EVERY = 60.0
"""Seconds between two notes of tracemalloc's growing lines."""


class Tracer:
    """tracemalloc, opt-in: the lines of Python whose live memory grew most since the first look."""

    def __init__(self, frames: int, now: float, top: int = 10) -> None:
        import tracemalloc

        self._module = tracemalloc
        self._top = top
        self._baseline: Any = None
        self._every = Every(TRACE_EVERY, now)
        tracemalloc.start(frames)

    def traced(self) -> float:
        """Live bytes that it knows of."""
        return float(self._module.get_traced_memory()[0])

    def note(self, now: float, last: bool) -> wire.RecordNote | None:
        """The growing lines, when it is time to tell them; the first call only looks."""
        if not (self._every.due(now) or last):
            return None
        taken = self._module.take_snapshot()
        if self._baseline is None:
            self._baseline = taken
            return None
        grown = [d for d in taken.compare_to(self._baseline, "lineno") if d.size_diff > 0][: self._top]
        lines = {str(d.traceback): d.size_diff for d in grown}
        said = "lines whose live memory grew most since the first look"
        return wire.RecordNote("tracemalloc", said, {"lines": lines})
