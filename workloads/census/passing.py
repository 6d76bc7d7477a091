"""One pass over all objects that the collector knows, the newest first: tensors, containers, samples of types."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workloads.census import kinds, tensors
from workloads.census.bounded import Group, add
from workloads.census.budget import Budget
from workloads.census.containers import Containers
from workloads.census.growth import Growth

_CHUNK = 8192
_SIZED = 80
"""Types whose bytes are told."""
_SAMPLED = 32
"""Objects of a type whose bytes stand for those of all."""
Action = Callable[[Any], None]


class Pass:
    """Over the objects of one census."""

    def __init__(self, counts: Mapping[type, int], growth: Growth, containers: Containers) -> None:
        self._counts, self._containers = counts, containers
        self._tensors = tensors.Tensors()
        self._samples: dict[type, list[Any]] = {}
        self._reach = {name: max(_SAMPLED, growth.reach(name)) for name in growth.watched()}
        self._actions = self._planned()

    def over(self, objects: Sequence[Any], budget: Budget) -> None:
        """Look at them."""
        actions = self._actions
        for end in range(len(objects), 0, -_CHUNK):
            if not budget.has():
                budget.leave_out("tensors")
                budget.leave_out("containers")
                return
            for each in reversed(objects[max(0, end - _CHUNK) : end]):
                try:
                    action = actions.get(type(each))
                except Exception:  # noqa: BLE001, S112  (a class of classes may refuse to be hashed)
                    continue
                if action is not None:
                    action(each)

    def clear(self) -> None:
        """Let go of all but names and numbers."""
        self._actions.clear()
        self._samples.clear()
        self._tensors.clear()

    @property
    def of_types(self) -> Mapping[str, list[Any]]:
        """The latest objects of types that grow, the newest first."""
        return {kinds.name_of(kind): these for kind, these in self._samples.items()}

    @property
    def of_tensors(self) -> Mapping[str, list[Any]]:
        """The latest tensors of each kind, the newest first."""
        return self._tensors.latest

    def tensor_counts(self) -> Mapping[str, float]:
        """How many tensors there are of each kind."""
        return {name: count for name, (count, _) in self._tensors.group.items()}

    def tensor_size(self, name: str) -> float:
        """Bytes of one tensor of a kind, in the mean."""
        count, size = self._tensors.group[name]
        return (size or 0.0) / count

    def groups(self) -> dict[str, Group]:
        """Types with their own bytes, as a sample tells, and tensors with theirs."""
        types: Group = {}
        for kind, count in self._counts.items():
            sample = self._samples.get(kind, ())[:_SAMPLED]
            size = sum(map(kinds.size_of, sample)) * count / len(sample) if sample else None
            add(types, kinds.name_of(kind), size, count)
        return {"types": types, "tensors": self._tensors.group}

    def _planned(self) -> dict[type, Action]:
        """What is done with an object of each type."""
        describe = tensors.describers()
        largest = set(heapq.nlargest(_SIZED, self._counts, key=lambda kind: self._counts[kind]))
        actions: dict[type, Action] = {}
        for kind in self._counts:
            how = next((describe[base] for base in kinds.bases(kind) if base in describe), None)
            wanted = [self._tensor(how)] if how is not None else []
            if (length := kinds.length_of(kind)) is not None:
                wanted.append(self._container(length))
            most = self._reach.get(kinds.name_of(kind), _SAMPLED if kind in largest else 0)
            then = _each_of(wanted)
            if most:
                actions[kind] = self._sampling(kind, most, then, actions)
            elif then is not None:
                actions[kind] = then
        return actions

    def _tensor(self, describe: Callable[[Any], tensors.Facts]) -> Action:
        seen = self._tensors.add
        return lambda each: seen(each, describe)

    def _container(self, length: Callable[[Any], int]) -> Action:
        seen = self._containers.add
        return lambda each: seen(each, length(each))

    def _sampling(self, kind: type, most: int, then: Action | None, actions: dict[type, Action]) -> Action:
        """Keeps the first `most` that come, then only does what else is wanted."""
        kept = self._samples.setdefault(kind, [])

        def keep(each: Any) -> None:
            kept.append(each)
            if then is not None:
                then(each)
            if len(kept) < most:
                return
            if then is None:
                del actions[kind]
            else:
                actions[kind] = then

        return keep


def _each_of(actions: list[Action]) -> Action | None:
    if len(actions) < 2:
        return actions[0] if actions else None

    def do(each: Any) -> None:
        for action in actions:
            action(each)

    return do
