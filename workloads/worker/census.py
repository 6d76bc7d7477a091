"""Who holds what this process holds: a census, taken between two steps, in bounded time and without tracing.

Counts Python objects by type, tensors by shape, descriptors, threads, children and mappings by kind; of what grows most
from census to census it finds out who holds it. Standard library; frameworks are asked only if they are imported.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from workloads.census import belongings, kinds, mappings, tensors
from workloads.census.bounded import Chooser, Group, of_any_shape
from workloads.census.budget import Budget, uncollected
from workloads.census.containers import Containers, latest
from workloads.census.garbage import garbage
from workloads.census.growth import Growth
from workloads.census.holder import LEVELS, Search
from workloads.census.passing import Pass
from workloads.census.untracked import Untracked
from workloads.census.wholes import made_of

__all__ = ["Census", "garbage"]

_MOST = {"types": 30, "tensors": 20, "arrays": 12, "any_shape": 8, "references": 8, "descriptors": 12, "threads": 12,
         "native_threads": 12, "children": 12, "mappings": 12, "shared_files": 12}  # fmt: skip
"""Names of a group that are told, twice at most."""
_SHARE = 0.4
"""Of the time, for what is read from the kernel: with busy threads of Python each read waits for its turn."""
_SUBJECTS = 3
"""Kinds of things whose holder is looked for in one census."""
_AGAIN = 4
"""Censuses after which a holder that is known is looked for again."""
_SEARCHES = 0.5
"""Of the time that is left, for all searches of holders: most of it goes to those that find nobody."""
_FIRST_LEVELS = 6
"""How far a search goes while what was made once cannot be told from what goes on."""
_NOT_OF_THE_LATEST, _MOST_OF_THEM = 16, 0.5
"""Which thing in a container is looked into, from its end; and of the objects that come with each such thing, how many
it must be made of to be what they are parts of."""
_INSIDE = 0.1
"""Seconds that may be needed to look into one thing."""
_PARTS = 3
"""Types that are told of those that what is held is made of."""


class Census:
    """Of one process, from the first census on. Keeps names and numbers, and no object alive."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._chosen = {name: Chooser(most) for name, most in _MOST.items()}
        self._containers = Containers()
        self._growth = Growth()
        self._held: dict[str, tuple[str, tuple[str, ...]]] = {}
        """Who holds objects of that name, and of what they are parts; plain values, or a census would count them."""
        self._number = 0

    def take(self, deadline_seconds: float = 1.0) -> dict[str, Any]:
        """Take one now, on the thread that does the steps; values that JSON knows, a few hundred.

        Groups are `name: [how many, bytes]`, or `name: how many` where bytes are not known. `partial` says that
        something was left out for want of time, and `left_out` what.
        """
        budget = Budget(deadline_seconds, self._clock)
        self._number += 1
        groups = self._belongings(budget.part(_SHARE))
        with uncollected():
            found, more = self._objects(budget, groups)
        told = {name: _plain(self._chosen[name].choose(group)) for name, group in {**groups, **found}.items()}
        return {
            "python_blocks": sys.getallocatedblocks(),
            **told,
            **more,
            "seconds": round(budget.spent, 4),
            "partial": bool(budget.left_out),
            "left_out": budget.left_out,
        }

    def _belongings(self, budget: Budget) -> dict[str, Group]:
        children, running = belongings.children(budget)
        kinds_of_mappings, mapped = mappings.mappings(budget)
        return {
            "children": children,
            "descriptors": belongings.descriptors(budget, running),
            "threads": belongings.python_threads(),
            "native_threads": belongings.native_threads(budget),
            "mappings": kinds_of_mappings,
            "shared_files": mappings.shared_files(budget, mapped, running),
        }

    def _objects(self, budget: Budget, before: Mapping[str, Group]) -> tuple[dict[str, Group], dict[str, Any]]:
        """Python objects and tensors; then who holds what grows, once the list of all objects is gone.

        before: groups of this census that were read before.
        """
        counts, objects = kinds.counted_all(), kinds.all_but_tuples()
        number, made = counts.total(), tensors.made_by_describers()
        for kind in [each for each in counts if kinds.name_of(each) in made]:
            del counts[kind]
        try:
            self._growth.count(counts)
            passed = Pass(counts, self._growth, self._containers)
            passed.over(objects, budget)
            untracked = Untracked()
            untracked.read(objects, budget, self._containers.add)
        finally:
            objects.clear()
        groups = {**passed.groups(), "arrays": untracked.arrays, "references": untracked.references}
        if not {"tensors", "arrays"} & set(budget.left_out):
            groups["any_shape"] = of_any_shape((groups["tensors"], groups["arrays"]))
        subjects = self._growth.subjects(passed, _SUBJECTS)
        passed.clear()
        own = (each for chooser in self._chosen.values() for each in chooser.own())
        grown = self._containers.grown((objects, counts, before, *before.values(), *self._growth.own(), *own))
        self._containers.clear()
        containers, elements = self._search(budget, number, subjects, grown)
        subjects.clear()
        grown.clear()
        return groups, {"objects": number, "containers": _plain(containers), "elements": elements,
                        "held_by": {name: words for name, (words, _) in self._held.items() if words},
                        "wholes": dict(self._wholes())}  # fmt: skip

    def _search(
        self, budget: Budget, objects: int, subjects: dict[str, list[Any]], grown: list[Any]
    ) -> tuple[Group, dict[str, str]]:
        levels = LEVELS if self._growth.lasts else _FIRST_LEVELS
        own = (subjects, grown, *subjects.values())
        search = Search(budget.part(_SEARCHES), objects, self._growth, own, levels)

        def name(container: Any) -> str | None:
            held = search.holder([container], of_parts=False)
            return None if held is None else held.words

        told = self._containers.told(grown, name)
        inside = {name: held for each in grown if budget.has(_INSIDE) for name, held in self._inside(each, subjects)}
        self._held.update(inside)
        for what, these in subjects.items():
            # Each search looks at all objects, many times over: what is known is looked for now and then.
            if what in self._held and (what in inside or self._number % _AGAIN):
                continue
            held = self._on_the_way(what) or search.holder(these)
            if held is not None:
                self._held[what] = held[0], held[1]
        # What is no subject any more is forgotten, so that this stays small.
        self._held = dict(list(self._held.items())[-4 * _SUBJECTS :])
        return told

    def _inside(self, container: Any, names: Iterable[str]) -> Iterator[tuple[str, tuple[str, tuple[str, ...]]]]:
        """Types whose objects are parts of what is in a container that has a name: who holds them needs no search."""
        said, things = self._containers.name_of(container), latest(container, _NOT_OF_THE_LATEST)
        if not said or not things:
            return
        for name, (number, within) in made_of(things[-1], container, names).items():
            # As many as come for each of these: else others come from elsewhere.
            share = self._growth.share(within[0], name) if within else 0.0
            if share and number >= _MOST_OF_THEM / share and within[0] != name:
                yield name, (said, within)

    def _on_the_way(self, name: str) -> tuple[str, tuple[str, ...]] | None:
        """What is known of a type that was met on the way up from another."""
        met = ((words, within[: within.index(name)]) for words, within in self._held.values() if name in within)
        return next(met, None)

    def _wholes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Of types that are parts: the type of the whole, how many of those come for each, and what else is in them."""
        for name, (_, within) in self._held.items():
            parts = [kind for kind in within if kind != name]
            if parts and (share := self._growth.share(parts[0], name)):
                yield name, {"type": parts[0], "share": share, "parts": parts[1 : 1 + _PARTS]}


def _plain(group: Group) -> dict[str, int | list[int]]:
    """As JSON has it."""
    return {
        name: round(count) if size is None else [round(count), round(size)] for name, (count, size) in group.items()
    }
