"""Lists, dicts, sets and deques that grow, and what they hold: a number has no entry with the collector, its list has.

Remembers lengths by identity, and no container.
"""

from __future__ import annotations

import collections
import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from workloads.census import kinds
from workloads.census.bounded import Group, add

LEAST = 32
"""Things in a container that is looked at."""
_MOST, _NEW = 16, 3
"""Containers that are told of at a time, and those among them that are asked about for their growth."""
_SAMPLED = 16


class Containers:
    """Of one process, from census to census."""

    def __init__(self) -> None:
        self._lengths: dict[int, int] = {}
        self._names: dict[int, tuple[str, int]] = {}
        """By identity: what it is called, and how long it was."""
        self._now: dict[int, Any] = {}

    def clear(self) -> None:
        """Let go of what was seen in this census."""
        self._now = {}

    @property
    def seen(self) -> dict[int, Any]:
        """Those of this census, by identity."""
        return self._now

    def add(self, container: Any, length: int) -> None:
        """One of this census; it is looked at if it holds at least `LEAST`."""
        if length >= LEAST:
            self._now[id(container)] = container

    def grown(self, own: Iterable[Any] = ()) -> list[Any]:
        """Those that have a name, and of those that nobody was asked about those that grew most; none at the first.

        own: those of the census itself.
        """
        for each in (*own, self._now, self._lengths, self._names):
            self._now.pop(id(each), None)
        lengths = {key: kinds.length_of(type(each))(each) for key, each in self._now.items()}
        before, self._lengths = self._lengths, lengths
        gain = {key: length - before.get(key, 0) for key, length in lengths.items() if length > before.get(key, 0)}
        # First those that were there before: others may be parts of what is ever new, however much is in them.
        order = {key: (key in before, more) for key, more in gain.items()}
        self._names = {k: (name, n) for k, (name, n) in self._names.items() if lengths.get(k, 0) >= n}
        if not before:
            return []
        # What a nameless one grows says nothing: the next is asked about, or a library's own would be asked for ever.
        asked = [key for key, (name, _) in self._names.items() if name]
        chosen = heapq.nlargest(_NEW, order.keys() - self._names.keys(), key=order.__getitem__)
        return [self._now[key] for key in (*asked, *chosen)][-_MOST:]

    def name_of(self, container: Any) -> str:
        """What it was found to be called."""
        return self._names.get(id(container), ("", 0))[0]

    def told(self, grown: Iterable[Any], name: Callable[[Any], str | None]) -> tuple[Group, dict[str, str]]:
        """How many things are in those that have a name, and bytes as far as a sample tells; what these things are.

        name: finds out what a container is called; empty where that cannot be told, None where there was no time: only
        then it is asked again.
        """
        group: Group = {}
        elements: dict[str, str] = {}
        for each in grown:
            key, length = id(each), kinds.length_of(type(each))(each)
            known = self._names.get(key)
            said = known[0] if known else name(each)
            if said is None:
                continue
            self._names[key] = (said, length)
            if said:
                what, size = _inside(each)
                add(group, said, kinds.size_of(each) + size * length, length)
                elements[said] = what
        return group, elements


def _inside(container: Any) -> tuple[str, float]:
    """The type that most of its latest things have, and the mean of their bytes."""
    things = latest(container, _SAMPLED)
    if not things:
        return "", 0.0
    names = Counter(kinds.name_of(type(thing)) for thing in things)
    sizes = [kinds.size_of(thing) + _within(thing) for thing in things]
    return names.most_common(1)[0][0], sum(sizes) / len(sizes)


def _within(thing: Any) -> int:
    """Of a small tuple or list, what it holds."""
    inner = thing if type(thing) in (tuple, list) and len(thing) <= _SAMPLED else ()
    return sum(kinds.size_of(each) for each in inner)


def latest(container: Any, most: int) -> list[Any]:
    """What was put into it last, as far as it has an order; past what a subclass says of it."""
    base = next(base for base in kinds.bases(type(container)) if base in kinds.LENGTHS)
    walks: dict[type, Callable[[Any], Iterable[Any]]] = {
        list: list.__reversed__,
        collections.deque: collections.deque.__reversed__,
        dict: lambda found: reversed(dict.values(found)),
        set: set.__iter__,
    }
    try:
        return list(itertools.islice(walks[base](container), most))
    except RuntimeError:
        return []  # it has changed meanwhile
