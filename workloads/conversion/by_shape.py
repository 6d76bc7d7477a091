"""Programs that are made for one shape each: exported, converted or compiled when that shape first comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

Program = TypeVar("Program")
Shape = tuple[int, ...]


class ByShape(Generic[Program]):
    """A program for every shape that has come; all are kept, as a user would who was promised a few shapes."""

    def __init__(self, make: Callable[[Shape], Program]) -> None:
        self._make = make
        self._made: dict[Shape, Program] = {}
        self._count = 0

    def __call__(self, shape: Shape) -> Program:
        """The program of that shape, made now if it is the first of it."""
        if shape not in self._made:
            self._made[shape] = self._make(shape)
            self._count += 1
        return self._made[shape]

    def made(self) -> Iterable[Program]:
        """All of them."""
        return self._made.values()

    def counters(self) -> Mapping[str, float]:
        """How many were made."""
        return {"traces": float(self._count)}

    def forget(self, change: object = None) -> None:
        """Make all of them anew when their shapes come next: what they hold is no longer so. change: what happened."""
        self._made.clear()
