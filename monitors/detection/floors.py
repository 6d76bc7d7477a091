"""Which series a trial is judged by: what its members held after they cleaned up, where enough probes tell. Pure.

A series that is sampled all the time holds garbage that is not collected yet, caches, and memory that the allocator
keeps; a floor does not. So where there are floors, they are judged in place of the same amounts sampled all the time.
"""

from __future__ import annotations

from collections.abc import Sequence

from monitors.detection.series import Series

PREFIX = "floor_"
ENOUGH = 12
"""Floors after the first step, from which on they are judged in place of what is sampled all the time."""
_REPLACED = {
    "heap_held_bytes": "anonymous_bytes",
    "python_objects": "python_blocks",
}
"""Metrics whose floor has another name: a trim takes the held heap, or shows it in anonymous memory."""


def is_floor(series: Series) -> bool:
    """Whether it is what was held after a clean-up."""
    return series.metric.name.startswith(PREFIX)


def preferred(series: Sequence[Series]) -> list[Series]:
    """The series to judge: floors where there are enough, and of each amount without them what was sampled.

    series: of one trial, those that are judged.
    """
    enough = {_key(one) for one in series if is_floor(one) and len(one.worked().t) >= ENOUGH}
    return [one for one in series if (_key(one) in enough) == is_floor(one)]


def _key(series: Series) -> tuple[str, str, str]:
    """Member, device and amount, the same for a floor and for what it replaces."""
    name = series.metric.name.removeprefix(PREFIX)
    return series.member, series.device, _REPLACED.get(name, name)
