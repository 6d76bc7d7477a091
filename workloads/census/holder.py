"""Who holds objects: their referrers, upwards, to the first that has a name in somebody's source code.

That is a variable of a module, an attribute of a class or an instance, what a function closes over or caches, or a
local variable of a function that runs. Nothing is kept, and no code of the objects' own classes is run.

Two objects of one type are followed at once. What holds only one of them is a part of what comes anew each time, as a
figure with its axes; what holds both is who holds it all, and the type right below that is the whole of which the
others are parts.
"""

from __future__ import annotations

import functools
import gc
import operator
import sys
import types
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from workloads.census import kinds, named
from workloads.census.budget import Budget

LEVELS = 24
"""Referrers above one another."""
_FURTHER = 3
"""Of them above one that has a name and holds but one of the objects, in search of one that holds all."""
_WIDEST = 64
"""Objects of a level that are followed, half of them at most of types that say what they are for."""
_ALIKE, _ALIKE_PLAIN = 2, 16
"""Of them of one type: others like it lead to the same."""
_SCAN = 2e-7
"""Seconds for each object of the collector that a search of referrers may take, before it was measured."""
_OWN = ("workloads.census.", "workloads.worker.", "soak.heartbeat")
"""Modules whose variables and objects hold nothing of the program."""


class Pace(Protocol):
    """What is known of the growth of types."""

    def grows(self, kind: type) -> bool:
        """Whether there are ever more of that type, at a pace that is not lost beside the fastest."""
        ...

    def gain(self, kind: type) -> float:
        """How many more there are from census to census, however few."""
        ...


class Holding(NamedTuple):
    """What was found."""

    words: str = ""
    """Who holds it; empty where that was not found."""
    within: tuple[str, ...] = ()
    """Types that grow along with what was looked for, from the whole that is held down to the last part that holds it.
    """


class Search:
    """Searches of one census."""

    def __init__(self, budget: Budget, objects: int, pace: Pace, own: Iterable[Any] = (), levels: int = LEVELS) -> None:
        """objects: how many the collector knows. pace: none of the types that grow is a holder to be named, as it is
        held itself. own: what holds things for the census, and is no holder either."""
        self._budget, self._pace = budget, pace
        self.levels = levels
        self._scan = objects * _SCAN
        self._given = {id(each) for each in own}

    def holder(self, things: Sequence[Any], *, of_parts: bool = True) -> Holding | None:
        """Of these objects of one type; None where there was no time to find it.

        of_parts: whether they may be parts of what grows in number; else nothing is said of those that are.
        """
        with _Climb(self, things, of_parts) as climb:
            return climb.found()

    def referrers(self, level: Sequence[Any]) -> list[Any] | None:
        """What refers to any of these; None where there is no time."""
        if not self._budget.has(self._scan):
            self._budget.leave_out("held_by")
            return None
        began = self._budget.spent
        found = gc.get_referrers(*level)
        self._scan = max(0.5 * self._scan, self._budget.spent - began)
        return found

    def is_given(self, each: Any) -> bool:
        """Whether it holds things for the census."""
        return id(each) in self._given

    def ever_more(self, kind: type) -> bool:
        """Whether there are more of that type at each census."""
        return self._pace.gain(kind) > 0

    def gain(self, kind: type) -> float:
        """How many more."""
        return self._pace.gain(kind)

    def grows_fast(self, kind: type) -> bool:
        """Whether so many come that one that holds all is one of many."""
        return self._pace.grows(kind)


class _Climb:
    """One search. Each object that was reached has the marks of those that it holds."""

    def __init__(self, search: Search, things: Sequence[Any], of_parts: bool) -> None:
        self._search, self._of_parts = search, of_parts
        self._level = list(things)
        self._start = {id(each) for each in things}
        self._marks = {id(each): 1 << place for place, each in enumerate(things)}
        self._all = (1 << len(self._marks)) - 1
        self._seen = {id(each): each for each in things}
        self._below: dict[int, Any] = {}
        """Of each, one that it holds and that was reached before it."""
        self._own = {id(each) for each in (self._level, self._seen, self._below, self.__dict__)}
        """Identities of what only this search holds; `things` is its caller's."""
        self._own.add(id(things))

    def __enter__(self) -> _Climb:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._below, self._seen, self._level):
            each.clear()

    def found(self) -> Holding | None:
        """The nearest that holds all; else one of which there are no more from census to census; else any."""
        one: tuple[int, str, int] | None = None
        any_: tuple[int, str, int] | None = None
        further = self._search.levels
        for _ in range(self._search.levels):
            if not self._level or further == 0:
                break
            above = self._above()
            if above is None:
                return None
            said = [(rank, words, id(each)) for each in above for rank, words in self._names(each)]
            if whole := min((each for each in said if self._marks[each[2]] == self._all), default=None):
                return self._told(one if one and self._is_of_few(whole[2]) else whole)
            one = one or min((each for each in said if not self._comes_anew(self._seen[each[2]])), default=None)
            any_ = any_ or min(said, default=None)
            further -= one is not None and further > 0
            further = min(further, _FURTHER) if one else further
            self._level[:] = self._followed(above)
            above.clear()
        return self._last(one, any_)

    def _last(self, one: tuple[int, str, int] | None, any_: tuple[int, str, int] | None) -> Holding:
        """Where nothing that has a name holds all: a local variable may."""
        local = self._running([key for key, marks in self._marks.items() if marks == self._all]) if not one else None
        said = local or one or any_ or self._running(list(self._seen))
        return self._told(said) if said else Holding()

    def _told(self, said: tuple[int, str, int]) -> Holding:
        return Holding(said[1], tuple(self._within(said[2])) if len(self._start) > 1 else ())

    def _within(self, top: int) -> Iterator[str]:
        """Names of types that grow below it, and hold but one of the objects."""
        told = set()
        for each in self._chain(top):
            name = kinds.name_of(type(each))
            if self._marks[id(each)] != self._all and self._tells(each) and self._search.ever_more(type(each)):
                if name not in told:
                    yield name
                told.add(name)

    def _is_of_few(self, top: int) -> bool:
        """Whether what holds all holds it by objects of which there are never more: a few workers, each with a list."""
        below = (each for each in self._chain(top) if self._marks[id(each)] != self._all)
        return any(self._tells(each) and not self._search.ever_more(type(each)) for each in below)

    def _chain(self, top: int) -> Iterator[Any]:
        """What is below it, down to one of the objects, without that."""
        each = self._below.get(top)
        while each is not None and id(each) in self._below:
            yield each
            each = self._below.get(id(each))

    def _above(self) -> list[Any] | None:
        """What refers to these and was not reached, or not by all of them."""
        referrers = self._search.referrers(self._level)
        if referrers is None:
            return None
        self._own.add(id(referrers))
        held = {id(each): each for each in self._level}
        self._own.add(id(held))
        found = []
        for each in referrers:
            key = id(each)
            if key in self._start or key in self._own or self._search.is_given(each) or _is_ours(each):
                continue
            below = [child for child in gc.get_referents(each) if id(child) in held]
            before = self._marks.get(key, 0)
            marks = functools.reduce(operator.or_, (self._marks[id(child)] for child in below), before)
            if below and marks != before:
                self._marks[key], self._seen[key] = marks, each
                self._below.setdefault(key, below[0])
                found.append(each)
        self._own.add(id(found))
        referrers.clear()
        return found

    def _followed(self, above: list[Any]) -> list[Any]:
        """Through which it goes on: whatever holds more, and of whose type there are fewer, is nearer to the whole."""
        telling: list[Any] = []
        plain: list[Any] = []
        alike: Counter[tuple[int, int]] = Counter()
        for each in sorted(above, key=lambda one: self._search.gain(type(one))):
            kind = (id(type(each)), self._marks[id(each)])
            alike[kind] += 1
            if not self._ends(each) and alike[kind] <= (_ALIKE if self._tells(each) else _ALIKE_PLAIN):
                (telling if self._tells(each) else plain).append(each)
        del telling[_WIDEST // 2 :]
        return telling + plain[: _WIDEST - len(telling)]

    def _ends(self, each: Any) -> bool:
        """What holds so much that all that is above it says nothing of one object."""
        if kinds.is_a(each, types.FrameType) or each is sys.modules:
            return True
        if not self._of_parts and self._tells(each) and self._search.ever_more(type(each)):
            return True
        of_module = kinds.is_a(each, types.ModuleType) or named.is_of_module(each)
        return of_module and not self._search.ever_more(types.ModuleType)

    def _comes_anew(self, holder: Any) -> bool:
        """Whether there are ever more of its type."""
        return self._search.ever_more(types.ModuleType if named.is_of_module(holder) else type(holder))

    @staticmethod
    def _tells(each: Any) -> bool:
        """Whether its type says what it is used for."""
        return kinds.name_of(type(each)) not in kinds.PLAIN

    def _names(self, holder: Any) -> Iterator[tuple[int, str]]:
        """What is called by a name here, with a rank: the lowest is told."""
        # Of a single object there is no telling whether another is held by the same.
        shared = len(self._start) > 1 and self._marks[id(holder)] == self._all
        grows = self._search.grows_fast(type(holder)) if shared else self._comes_anew(holder)
        if grows and self._tells(holder):
            return
        try:
            yield from named.names(holder, self._below)
        except Exception:  # noqa: BLE001  (objects of strangers)
            return

    def _running(self, reached: Iterable[int]) -> tuple[int, str, int] | None:
        """A local variable of a function that runs: the collector does not know of those.

        reached: identities, the nearest first.
        """
        keys = [key for key in reached if key not in self._own]
        places = {key: place for place, key in enumerate(keys)}
        said: list[tuple[int, str]] = []
        # One of them is of this call: a variable that keeps it would keep all that those who called it hold.
        frames = list(sys._current_frames().values())
        while frames:
            at: types.FrameType | None = frames.pop()
            while at is not None:
                if not _is_ours(at):
                    said.extend(named.of_frame(at, places))
                at = at.f_back
        place, words = min(said, default=(-1, ""))
        return (place, words, keys[place]) if words else None


def _is_ours(each: Any) -> bool:
    if type(each) is types.FrameType:
        return str(each.f_globals.get("__name__", "")).startswith(_OWN)
    return kinds.name_of(type(each)).startswith(_OWN)
