"""What one thing in a container is made of: downwards from it, so that no look at all objects is needed."""

from __future__ import annotations

import gc
import types
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from workloads.census import kinds, named

_MOST = 20_000
"""Objects that are looked at."""


class Made(NamedTuple):
    """Of how many objects of a type, and on which way."""

    number: int
    within: tuple[str, ...]
    """Types that say what they are for, from the thing down to what holds the first of these."""


def made_of(thing: Any, container: Any, names: Iterable[str]) -> dict[str, Made]:
    """Of which objects of these types it is made: what it leads to, but for what others of its kind lead to as well.

    container: that holds the thing.
    """
    order, above = [thing], {id(thing): id(thing)}
    wanted, counts = frozenset(names), Counter[str]()
    first: dict[str, int] = {}
    for each in order:
        for child in gc.get_referents(each):
            if id(child) in above or child is container or _ends(child, thing):
                continue
            above[id(child)] = id(each)
            order.append(child)
            name = kinds.name_of(type(child))
            if name in wanted:
                counts[name] += 1
                first.setdefault(name, id(child))
        if len(order) > _MOST:
            break
    known = {id(each): each for each in order}
    found = {name: Made(number, _way(first[name], above, known)) for name, number in counts.items()}
    order.clear()
    known.clear()
    return found


def _ends(child: Any, thing: Any) -> bool:
    """What is not a part: others of the same type, code, and what all share."""
    if not gc.is_tracked(child) or kinds.is_a(child, types.ModuleType, types.FrameType, type):
        return True
    tells = kinds.name_of(type(thing)) not in kinds.PLAIN
    return (tells and type(child) is type(thing)) or named.is_of_module(child)


def _way(last: int, above: dict[int, int], known: dict[int, Any]) -> tuple[str, ...]:
    def upwards() -> Iterator[str]:
        at = last
        while above[at] != at:
            at = above[at]
            yield kinds.name_of(type(known[at]))

    return tuple(dict.fromkeys(name for name in reversed(list(upwards())) if name not in kinds.PLAIN))
