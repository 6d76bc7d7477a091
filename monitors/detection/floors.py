"""Which series a trial is judged by: what its members held after they cleaned up, where enough probes tell. Pure.

A series that is sampled all the time holds garbage that is not collected yet, caches, and memory that the allocator
keeps; a floor does not. So where there are floors, they are judged in place of the same amounts sampled all the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitors.detection.series import Floats, Series

PREFIX = "floor_"
ENOUGH = 12
"""Floors after the first step, from which on they are judged in place of what is sampled all the time."""
_OF_TREE = frozenset(
    f"{PREFIX}{name}"
    for name in ("anonymous_bytes", "shared_bytes", "total_bytes", "fds", "threads", "children", "zombies")
)
"""Floors of the tree of a member's processes; all others are of the one that was probed."""
_REPLACED = {
    "heap_held_bytes": "anonymous_bytes",
    "python_objects": "python_blocks",
}
"""Metrics whose floor has another name: a trim takes the held heap, or shows it in anonymous memory."""


CLEANED = ("python_objects", "host_heap", "heap_held", "mmap", "anonymous", "total")
"""Layers that a clean-up takes something of."""


def is_floor(series: Series) -> bool:
    """Whether it is what was held after a clean-up."""
    return series.metric.name.startswith(PREFIX)


def preferred(series: Sequence[Series]) -> list[Series]:
    """The series to judge: floors where there are enough, and of each amount without them what was sampled.

    A process that left the tree of its member is sampled with it, and in no floor: then what the tree holds is judged
    as it was sampled. What a clean-up might have taken of a member that never was cleaned up is marked.

    series: of one trial, those that are judged.
    """
    blind = _blind(series)
    enough = {
        _key(one)
        for one in series
        if is_floor(one) and len(one.worked().t) >= ENOUGH
        if not (one.metric.name in _OF_TREE and (one.member in blind or (not one.member and blind)))
    }
    chosen = [even(one) if is_floor(one) else one for one in series if (_key(one) in enough) == is_floor(one)]
    probed = {one.member for one in series if is_floor(one)}
    return [
        replace(one, uncleaned=True) if one.metric.layer in CLEANED and one.member not in probed else one
        for one in chosen
    ]


def even(series: Series) -> Series:
    """The same course at even times, as many: detectors divide a trial into blocks of equal time.

    Probes come when they cost little enough and a step is over. A floor is a level, so what lies between two is near
    the line between them; gaps stay as they are known.
    """
    t = np.linspace(series.t[0], series.t[-1], len(series.t))

    def at(values: Floats) -> Floats:
        return np.interp(t, series.t, values)

    doses = {name: at(dose) for name, dose in series.doses.items()}
    return replace(
        series, t=t, values=at(series.values), steps=None if series.steps is None else at(series.steps), doses=doses
    )  # fmt: skip


def _blind(series: Sequence[Series]) -> set[str]:
    """Members whose trees have more processes, as sampled, than they read of themselves."""
    counts = {(one.member, one.metric.name): one for one in series if len(one.t)}
    found = set()
    for (member, name), read in counts.items():
        sampled = counts.get((member, "children"))
        if name != f"{PREFIX}children" or sampled is None:
            continue
        if float(np.median(np.interp(read.t, sampled.t, sampled.values) - read.values)) >= 1:
            found.add(member)
    return found


def _key(series: Series) -> tuple[str, str, str]:
    """Member, device and amount, the same for a floor and for what it replaces."""
    name = series.metric.name.removeprefix(PREFIX)
    return series.member, series.device, _REPLACED.get(name, name)
