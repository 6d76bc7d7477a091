"""What the collector does not know by itself, found by what refers to it: numbers, texts, bytes, arrays of NumPy.

References are counted, not objects: of what is new and kept, there is mostly one of each.
"""

from __future__ import annotations

import array
import gc
import itertools
import sys
from collections.abc import Callable, Sequence
from typing import Any

from workloads.census import kinds
from workloads.census.bounded import Group, add
from workloads.census.budget import Budget
from workloads.census.tensors import shape_of

_AT_ONCE = 512
_MIXED = frozenset({id(tuple), id(dict)})
"""Types of which some objects are known to the collector, and some are not."""
_LARGE = 4096
"""Bytes from which an object of `bytes` is counted by its size."""


class Untracked:
    """Those of one census."""

    def __init__(self) -> None:
        self.references: Group = {}
        """By type."""
        self.arrays: Group = {}
        """Arrays and buffers, each once."""
        self._seen: set[int] = set()
        self._viewed: dict[int, tuple[str, float]] = {}
        """What arrays show a part of: the name of such an array, and the bytes of the whole."""
        self._array: Any = getattr(sys.modules.get("numpy"), "ndarray", None)
        # By identity too, as a class of classes may refuse to be hashed.
        self._buffers = frozenset({bytes, bytearray, array.array, *([self._array] if self._array else [])})
        self._known = frozenset(map(id, self._buffers))

    def read(self, objects: Sequence[Any], budget: Budget, dicts: Callable[[Any, int], None] | None = None) -> None:
        """Look at what all of these refer to, the latest first.

        dicts: takes dicts that the collector does not know, with their length.
        """
        counts = kinds.Counts()
        for end in range(len(objects), 0, -_AT_ONCE):
            if not budget.has():
                budget.leave_out("arrays")
                budget.leave_out("references")
                break
            found = gc.get_referents(*objects[max(0, end - _AT_ONCE) : end])
            self._count(counts, found)
            self._count(counts, self._inside(found, dicts))
        for whole, (name, size) in self._viewed.items():
            if whole not in self._seen:
                add(self.arrays, name, size, 0.0)
        for kind, count in counts.by_type().items():
            if not kinds.is_collected(kind) and kind not in self._buffers:
                add(self.references, kinds.name_of(kind), count=count)

    def _inside(self, found: list[Any], dicts: Callable[[Any, int], None] | None) -> list[Any]:
        """What is in the tuples among these, and in dicts of numbers and texts alone, which the collector drops."""
        # By identity, as a class of classes may refuse to be hashed; without a line of Python for each.
        mixed = list(itertools.compress(found, map(_MIXED.__contains__, map(id, map(type, found)))))
        plain = list(itertools.filterfalse(gc.is_tracked, mixed))
        loose = [each for each in plain if type(each) is dict]
        if dicts is not None:
            for each in loose:
                dicts(each, len(each))
        for name, count in (("dict", len(loose)), ("tuple", len(plain) - len(loose))):
            if count:
                add(self.references, name, count=count)
        return gc.get_referents(*loose, *(each for each in mixed if type(each) is tuple))

    def _count(self, counts: kinds.Counts, found: list[Any]) -> None:
        before = counts.of(self._buffers)
        counts.add(found)
        if counts.of(self._buffers) > before:
            self._measure(found)

    def _measure(self, found: list[Any]) -> None:
        for each in found:
            if id(type(each)) in self._known and id(each) not in self._seen:
                self._seen.add(id(each))
                self._add(each)

    def _add(self, buffer: Any) -> None:
        if type(buffer) is self._array:
            self._add_array(buffer)
            return
        size = float(kinds.size_of(buffer))
        if type(buffer) is not bytes or size >= _LARGE:
            add(self.arrays, f"{kinds.name_of(type(buffer))} ({_rounded(int(size))})", size)
        else:
            add(self.references, "bytes")

    def _add_array(self, array: Any) -> None:
        """Of one that shows a part of another, the whole is counted: with this one where nothing else refers to it."""
        name = f"numpy.ndarray ({shape_of(array.shape)} {array.dtype})"
        add(self.arrays, name, float(array.nbytes) if array.base is None else 0.0)
        if array.base is None:
            return
        whole = array.base
        while type(whole) is self._array and whole.base is not None:
            whole = whole.base
        if id(type(whole)) in self._known:
            size = whole.nbytes if type(whole) is self._array else kinds.size_of(whole)
            self._viewed.setdefault(id(whole), (name, float(size)))


def _rounded(size: int) -> str:
    """Up to the next power of two, so that there are few sizes."""
    most = 1 << max(0, size - 1).bit_length()
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if most >= unit:
            return f"up to {most // unit} {name}"
    return f"up to {most} B"
