"""What there is ever more of, from census to census: names and counts of the last three."""

from __future__ import annotations

import heapq
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
        self._growing: dict[str, float] = {}

    def count(self, counts: Mapping[type, int]) -> None:
        """Those of a new census."""
        named: Counter[str] = Counter()
        for kind, count in counts.items():
            named[kinds.name_of(kind)] += count
        self._types.append(dict(named))
        self._growing = _growth(self._types)

    def own(self) -> list[Any]:
        """Containers that are the census's."""
        return [self._growing, *self._types, *self._tensors]

    def watched(self) -> list[str]:
        """Names of the types that grow fastest: first those that say what they are for."""
        telling = {name: gain for name, gain in self._growing.items() if name not in kinds.PLAIN}
        plain = {name: gain for name, gain in self._growing.items() if name in kinds.PLAIN}
        half = _WATCHED // 2
        return [*heapq.nlargest(half, telling, telling.__getitem__), *heapq.nlargest(half, plain, plain.__getitem__)]

    def grows(self, kind: type) -> bool:
        """Whether there are ever more of that type, at a pace that is not lost beside the fastest."""
        fastest = max(self._growing.values(), default=0.0)
        return self._growing.get(kinds.name_of(kind), 0.0) >= max(_LEAST, _SIDE * fastest)

    def subjects(self, latest: LatestObjects, most: int) -> dict[str, Any]:
        """One object of each kind that grows fastest, by what the kind is called: tensors before other types.

        It is none of the newest, which many hold for a moment.
        """
        self._tensors.append(latest.tensor_counts())
        tensors = _growth(self._tensors)
        found: dict[str, Any] = {}
        for name in heapq.nlargest(most - 1, tensors, key=lambda each: tensors[each] * latest.tensor_size(each)):
            _put(found, name, latest.of_tensors.get(name, []), tensors[name])
        held = {kinds.name_of(type(each)) for each in found.values()}
        for name in self.watched():
            if name not in held and len(found) < most:
                _put(found, name, latest.of_types.get(name, []), self._growing[name])
        return found


def _put(found: dict[str, Any], name: str, latest: list[Any], gain: float) -> None:
    if latest:
        found[name] = latest[min(len(latest) - 1, int(gain) // 2)]


def _growth(told: deque[Mapping[str, float]]) -> dict[str, float]:
    """The lower of the last two differences, of what grew in both."""
    if len(told) < 2:
        return {}
    pairs = list(zip(list(told)[:-1], list(told)[1:], strict=True))
    gains = {name: min(b.get(name, 0.0) - a.get(name, 0.0) for a, b in pairs) for name in told[-1]}
    return {name: gain for name, gain in gains.items() if gain >= _LEAST}
