"""The censuses of a trial: what a member's process counted of itself at its probes, checked, as counts over time.

What they tell comes from a process that is soaked, which may be any program: every value is checked. Pure.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitors.model import Event
from monitors.text import one_line

KIND = "census"
"""Of the events that hold one."""
GROUPS = (
    "types", "tensors", "arrays", "any_shape", "references", "containers", "descriptors", "threads",
    "native_threads", "children", "mappings", "shared_files",
)  # fmt: skip
_MOST_NAMES = 200
"""Of one group in one census."""
_LONGEST = 200
"""Letters of a name."""
_MOST_PARTS, _MOST_OF_EACH = 3, 1e6
"""Types in a whole that are told, and wholes that may come for each part."""
_MOST = 48
"""Censuses of a trial that are looked at, evenly chosen: as many as a slope is made of."""
_NEAR = 0.25
"""Of the usual time from one census to the next: two that are nearer to one another are one."""
Amount = tuple[float, float | None]
"""How many, and how many bytes; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Whole:
    """What objects of a type are parts of: it comes anew each time, with all that it is made of."""

    name: str
    """Of its type."""
    share: float
    """How many of it come for each of the parts."""
    parts: tuple[str, ...] = ()
    """Other types that are in it, from the outside in."""


@dataclass(frozen=True, slots=True)
class CensusTaken:
    """One of a member. A group that was cut short for want of time is absent."""

    t: float
    """Seconds since the trial began."""
    groups: Mapping[str, Mapping[str, Amount]] = field(default_factory=dict)
    elements: Mapping[str, str] = field(default_factory=dict)
    """Of containers, what most things in them are."""
    held_by: Mapping[str, str] = field(default_factory=dict)
    """By the name of a type or of a kind of tensor."""
    wholes: Mapping[str, Whole] = field(default_factory=dict)
    """By the name of a type whose objects are parts."""
    steps: float | None = None
    """Made until then."""
    blocks: float | None = None
    """Python objects of all kinds, as its allocator counts them."""
    garbage: Mapping[str, float] = field(default_factory=dict)
    """Objects that a collection found, by type."""
    garbage_bytes: float = 0.0


def of_trial(events: Iterable[Event], trial: int, member: str = "") -> list[CensusTaken]:
    """Those of one member, oldest first; of a trial that has a single one, for an empty name."""
    found = [e for e in events if e.trial == trial and e.kind == KIND and (e.data.get("member") or "") == member]
    return [read(event.t, event.data) for event in _thinned(sorted(found, key=lambda event: event.t))]


def apart(censuses: Sequence[CensusTaken]) -> list[CensusTaken]:
    """Without those that another one follows at once, as at the end of a trial: what grows between them says nothing.

    censuses: oldest first. The last one stays.
    """
    waits = [later.t - one.t for one, later in itertools.pairwise(censuses)]
    least = _NEAR * statistics.median(waits or [0.0])
    return [one for one, later in itertools.pairwise(censuses) if later.t - one.t >= least] + list(censuses[-1:])


def _thinned(events: Sequence[Event]) -> list[Event]:
    if len(events) <= _MOST:
        return list(events)
    step = (len(events) - 1) / (_MOST - 1)
    return [events[round(place * step)] for place in range(_MOST)]


def read(t: float, data: Mapping[str, Any]) -> CensusTaken:
    """What of it can be read."""
    cut = data.get("left_out")
    cut = cut if isinstance(cut, list) else []
    told = _table(data.get("garbage"))
    return CensusTaken(
        t,
        {group: _amounts(data[group]) for group in GROUPS if group in data and group not in cut},
        _texts(data.get("elements")),
        _texts(data.get("held_by")),
        _wholes(data.get("wholes")),
        _number(data.get("steps")),
        _number(data.get("python_blocks")),
        {name: count for name, (count, _) in _amounts(told.get("types")).items()},
        _number(told.get("bytes")) or 0.0,
    )


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _amounts(value: object) -> dict[str, Amount]:
    found: dict[str, Amount] = {}
    for name, told in list(_table(value).items())[:_MOST_NAMES]:
        pair = told if isinstance(told, list) and len(told) == 2 else [told, None]
        count = _number(pair[0])
        if count is not None:
            found[one_line(name, _LONGEST)] = count, _number(pair[1])
    return found


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _wholes(value: object) -> dict[str, Whole]:
    found: dict[str, Whole] = {}
    for name, told in list(_table(value).items())[:_MOST_NAMES]:
        whole = _table(told)
        kind, share, parts = whole.get("type"), _number(whole.get("share")), whole.get("parts")
        if isinstance(kind, str) and share is not None and 0.0 < share <= _MOST_OF_EACH:
            listed = parts[:_MOST_PARTS] if isinstance(parts, list) else []
            texts = tuple(one_line(each, _LONGEST) for each in listed if isinstance(each, str))
            found[one_line(name, _LONGEST)] = Whole(one_line(kind, _LONGEST), share, texts)
    return found


def _texts(value: object) -> dict[str, str]:
    told = list(_table(value).items())[:_MOST_NAMES]
    return {one_line(name, _LONGEST): one_line(text, _LONGEST) for name, text in told if isinstance(text, str)}
