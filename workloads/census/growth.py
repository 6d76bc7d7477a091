"""What there is ever more of, from census to census: names and counts of the last three."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, Protocol

from workloads.census import kinds

_REMEMBERED = 3
"""Censuses: two differences, so that what was made once, as modules are loaded, is told from what goes on."""
_SIDE = 0.02
"""Of the fastest growth: what grows slower is not held along with it."""
_LEAST = 2
"""Objects between two censuses that are growth."""
_WATCHED = 8
_FARTHEST = 1 << 14
"""Latest objects of a type, of which those are taken whose holder is looked for."""


class LatestObjects(Protocol):
    """The latest objects of a census, the newest first."""

    @property
    def of_types(self) -> Mapping[str, list[Any]]:
        """By the name of their type."""
        ...

    @property
    def of_tensors(self) -> Mapping[str, list[Any]]:
        """By the kind of tensor."""
        ...

    def tensor_counts(self) -> Mapping[str, float]:
        """How many tensors there are of each kind."""
        ...

    def tensor_size(self, name: str) -> float:
        """Bytes of one tensor of a kind, in the mean."""
        ...


class Growth:
    """Of one process."""

    def __init__(self) -> None:
        self._types: deque[Mapping[str, float]] = deque(maxlen=_REMEMBERED)
        self._tensors: deque[Mapping[str, float]] = deque(maxlen=_REMEMBERED)
        self._gains: dict[str, float] = {}
        self._growing: dict[str, float] = {}

    def count(self, counts: Mapping[type, int]) -> None:
        """Those of a new census."""
        named: Counter[str] = Counter()
        for kind, count in counts.items():
            named[kinds.name_of(kind)] += count
        self._types.append(dict(named))
        self._gains = _growth(self._types, 1)
        self._growing = {name: gain for name, gain in self._gains.items() if gain >= _LEAST}

    def own(self) -> list[Any]:
        """Containers that are the census's."""
        return [self._gains, self._growing, *self._types, *self._tensors]

    def watched(self) -> list[str]:
        """Names of the types that grow fastest: first those that say what they are for."""
        telling = {name: gain for name, gain in self._growing.items() if name not in kinds.PLAIN}
        plain = {name: gain for name, gain in self._growing.items() if name in kinds.PLAIN}
        return [name for gains in (telling, plain) for name in _fastest(gains)]

    @property
    def lasts(self) -> bool:
        """Whether so much is remembered that what was made once is told from what goes on."""
        return len(self._types) == _REMEMBERED

    def grows(self, kind: type) -> bool:
        """Whether there are ever more of that type, at a pace that is not lost beside the fastest."""
        fastest = max(self._growing.values(), default=0.0)
        return self._growing.get(kinds.name_of(kind), 0.0) >= max(_LEAST, _SIDE * fastest)

    def gain(self, kind: type) -> float:
        """How many more there are of that type from census to census, however few; 0 where that did not last."""
        return self._gains.get(kinds.name_of(kind), 0.0)

    def share(self, of: str, beside: str) -> float:
        """How many objects of a type come for each of another one, in all that is remembered; 0 where none do."""
        first, last = self._types[0], self._types[-1]
        all_of, all_beside = (last.get(name, 0.0) - first.get(name, 0.0) for name in (of, beside))
        return all_of / all_beside if all_of > 0 and all_beside > 0 else 0.0

    def reach(self, name: str) -> int:
        """Objects of a type, the newest first, among which `subjects` chooses."""
        return min(max(_ages(self._types, name)) + 1, _FARTHEST)

    def subjects(self, latest: LatestObjects, most: int) -> dict[str, list[Any]]:
        """Two objects of each kind that grows fastest, by what the kind is called: tensors before other types.

        They are of different age, so that what holds both of them holds all; and none of the newest, which many hold
        for a moment.
        """
        self._tensors.append(latest.tensor_counts())
        tensors = _growth(self._tensors, _LEAST)
        found: dict[str, list[Any]] = {}
        for name in heapq.nlargest(most - 1, tensors, key=lambda each: tensors[each] * latest.tensor_size(each)):
            _put(found, name, latest.of_tensors.get(name, []), _ages(self._tensors, name))
        held = {kinds.name_of(type(each)) for these in found.values() for each in these}
        for name in self.watched():
            if name not in held and len(found) < most:
                _put(found, name, latest.of_types.get(name, []), _ages(self._types, name))
        return found


def _fastest(gains: Mapping[str, float]) -> list[str]:
    least = _SIDE * max(gains.values(), default=0.0)
    return [name for name in heapq.nlargest(_WATCHED // 2, gains, gains.__getitem__) if gains[name] >= least]


def _put(found: dict[str, list[Any]], name: str, latest: list[Any], ages: tuple[int, int]) -> None:
    if latest:
        places = {min(len(latest) - 1, age) for age in ages}
        found[name] = [latest[place] for place in sorted(places)]


def _ages(told: deque[Mapping[str, float]], name: str) -> tuple[int, int]:
    """Places from the newest on: amid those of the last time between two censuses, and amid those of the time before,
    or near the end of the last where no more is remembered."""
    counts = [each.get(name, 0.0) for each in told]
    gains = [max(0, int(b - a)) for a, b in itertools.pairwise(counts)]
    if len(gains) < 2:
        last = gains[0] if gains else 0
        return last // 2, last * 7 // 8
    return gains[-1] // 2, gains[-1] + gains[-2] // 2


def _growth(told: deque[Mapping[str, float]], least: float) -> dict[str, float]:
    """The lower of the last two differences, of what grew by so much in both."""
    if len(told) < 2:
        return {}
    pairs = list(itertools.pairwise(told))
    gains = {name: min(b.get(name, 0.0) - a.get(name, 0.0) for a, b in pairs) for name in told[-1]}
    return {name: gain for name, gain in gains.items() if gain >= least}
