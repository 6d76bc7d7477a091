"""Amounts by name, cut to those that matter: the largest, those that grew, and those that were told before."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping

Amount = tuple[float, float | None]
"""How many, and how many bytes; None where that is not known."""
Group = dict[str, Amount]
_SHAPE = re.compile(r"(?<=\()(?:[\d?×]+|scalar) | \(up to [^)]*\)$")
"""Of the name of a tensor, an array or a buffer: `64×64` in `numpy.ndarray (64×64 float32)`."""


class Chooser:
    """Of one kind of thing. What was told once is told again as long as there is any, so that growth can be seen."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._told: dict[str, None] = {}
        self._first: dict[str, float] = {}

    def own(self) -> list[object]:
        """Containers that are the census's."""
        return [self._told, self._first]

    def choose(self, group: Mapping[str, Amount]) -> Group:
        """At most twice `most` names: half of them for what is largest, half for what grew most since the first."""
        counts = {name: count for name, (count, _) in group.items()}
        if not self._first:
            self._first = counts
        gain = {name: count - self._first.get(name, 0.0) for name, count in counts.items()}
        grown = [name for name in heapq.nlargest(self._most, gain, key=lambda name: gain[name]) if gain[name] > 0]
        wanted = dict.fromkeys((*grown, *heapq.nlargest(self._most, counts, key=lambda name: counts[name])))
        told = [name for name in self._told if name in counts and name not in wanted]
        # What has grown is told before what only is there.
        names = [*grown, *told, *(name for name in wanted if name not in grown)][: 2 * self._most]
        self._told = dict.fromkeys(names)
        return {name: group[name] for name in names}


def add(group: Group, name: str, size: float | None = None, count: float = 1.0) -> None:
    """One more, or several, of that name."""
    before, held = group.get(name, (0.0, None))
    group[name] = (before + count, held if size is None else (held or 0.0) + size)


def of_any_shape(groups: Iterable[Group]) -> Group:
    """Tensors, arrays and buffers of all shapes together: one that gets larger has another shape each time."""
    found: Group = {}
    for group in groups:
        for name, (count, size) in group.items():
            add(found, _SHAPE.sub("", name), size, count)
    return found
