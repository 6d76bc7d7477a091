"""Tensors and arrays of one census, by type, shape, data type and device, as their framework tells them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from workloads import frameworks
from workloads.census.bounded import Group, add

Facts = tuple[str, float, object]
"""What it is called, its bytes, and the storage that they are in (None for one of its own)."""
_SAMPLES = 256
"""The latest of a kind, of which a holder may be looked for."""


def describers() -> dict[type, Callable[[Any], Facts]]:
    """By type, subclasses included: what tells the facts of a tensor, of every framework that is imported."""
    found: dict[type, Callable[[Any], Facts]] = {}
    for name in frameworks.imported():
        framework = frameworks.load(name)
        if hasattr(framework, "tensor_types") and hasattr(framework, "tensor_facts"):
            module = sys.modules[next(iter(framework.REQUIRES))]
            found.update(dict.fromkeys(framework.tensor_types(module), framework.tensor_facts))
    return found


def made_by_describers() -> frozenset[str]:
    """Names of types whose objects there are because tensors are asked for their facts: nobody else made them."""
    none: frozenset[str] = frozenset()
    return none.union(*(getattr(frameworks.load(name), "MADE_BY_FACTS", none) for name in frameworks.imported()))


def shape_of(shape: Any) -> str:
    """`64×64`, and `scalar` for none."""
    return "×".join("?" if size is None else str(int(size)) for size in shape) or "scalar"


class Tensors:
    """Those of one census. Bytes of a storage that several share are counted once, with the latest of them."""

    def __init__(self) -> None:
        self.group: Group = {}
        self.latest: dict[str, list[Any]] = {}
        """Of each kind, the latest first."""
        self.unreadable = 0
        self._storages: set[object] = set()

    def clear(self) -> None:
        """Let go of all."""
        self.latest.clear()
        self._storages.clear()

    def add(self, tensor: Any, describe: Callable[[Any], Facts]) -> None:
        """One of them."""
        try:
            name, size, storage = describe(tensor)
        except Exception:  # noqa: BLE001  (one that is deleted, lazy or not yet made may fail to say anything)
            self.unreadable += 1
            return
        if storage is not None and storage in self._storages:
            size = 0.0
        self._storages.add(storage)
        add(self.group, name, size)
        same = self.latest.setdefault(name, [])
        if len(same) < _SAMPLES:
            same.append(tensor)
