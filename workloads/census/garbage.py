"""What a collection found: types of objects that only referred to one another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from workloads.census import kinds, tensors
from workloads.census.bounded import Group, add
from workloads.census.budget import Budget
from workloads.census.untracked import Untracked

_MOST = 12
"""Types that are told."""
_SECONDS = 0.5


def garbage(objects: Sequence[Any]) -> dict[str, Any]:
    """Types of these objects, the most first: how many, their own bytes, and those of tensors and arrays they hold.

    objects: what a collection with `gc.DEBUG_SAVEALL` has put into `gc.garbage`. None of them is kept.
    """
    budget = Budget(_SECONDS)
    found = list(objects)
    counts: Counter[str] = Counter()
    for kind, count in kinds.counted(found).items():
        counts[kinds.name_of(kind)] += count
    held, size = _held(found, budget), _size(found, budget)
    found.clear()
    types = dict(counts.most_common(_MOST))
    return {
        "objects": sum(counts.values()),
        "bytes": size + sum(held_bytes or 0.0 for _, held_bytes in held.values()),
        "types": types,
        **({"partial": True, "left_out": budget.left_out} if budget.left_out else {}),
    }


def _size(objects: list[Any], budget: Budget) -> float:
    """Own bytes of all; of more than there is time for, as those that were looked at."""
    total = 0.0
    for number, each in enumerate(objects):
        if number % 1024 == 0 and number and not budget.has():
            budget.leave_out("bytes")
            return total * len(objects) / number
        total += kinds.size_of(each)
    return total


def _held(objects: list[Any], budget: Budget) -> Group:
    """Tensors among them, and arrays that they refer to."""
    group: Group = {}
    describe = tensors.describers()
    seen = tensors.Tensors()
    for each in objects if describe else ():
        how = next((describe[base] for base in kinds.bases(type(each)) if base in describe), None)
        if how is not None:
            seen.add(each, how)
    arrays = Untracked()
    arrays.read(objects, budget)
    for name, (count, size) in (*seen.group.items(), *arrays.arrays.items()):
        add(group, name, size, count)
    seen.clear()
    return group
