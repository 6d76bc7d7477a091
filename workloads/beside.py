"""What real leaks share that come with any framework: an ordinary model, and beside its steps something that is kept.

In each step, or once in so many, something new comes, or something seen before: `distinct` bounds it. With 1 the next
takes the place of the one before, which is the clean twin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workloads import novelty
from workloads.options import between
from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Beside", "Options", "SeldomOptions", "SizedOptions"]


@dataclass(frozen=True)
class Options(novelty.Options):
    """How much novelty, and how often."""

    every: int = 1
    """Steps from one to the next."""

    def __post_init__(self) -> None:
        super().__post_init__()
        between(self, "every", 1, 10**6)


@dataclass(frozen=True)
class SizedOptions(Options):
    """How much novelty, how often, and how large."""

    kib: int = 16
    """Size of each."""

    def __post_init__(self) -> None:
        super().__post_init__()
        between(self, "kib", 1, 2**20)

    @property
    def size(self) -> int:
        """Of each, in bytes."""
        return self.kib * 1024


@dataclass(frozen=True)
class SeldomOptions(Options):
    """How much novelty, and how often: of what there are only some thousands in a process."""

    every: int = 20
    """Steps from one to the next."""


class Beside(Planted):
    """Calls `once` with the number of the novelty, after each step that is due. Satisfies `Replayed`."""

    def __init__(self, setup: Setup, options: Any) -> None:
        super().__init__(setup, options)
        self._turns = 0
        self._kept: dict[int, Any] = {}
        """What is kept, by the number of the novelty: where that repeats, the one before is let go."""

    def after_step(self, value: float, step: int, seconds: float) -> float:
        """Once in `every` steps."""
        if step % self._options.every == 0:
            self.once(self._turns % self._options.distinct if self._options.distinct else self._turns)
            self._turns += 1
        return value

    def once(self, novelty: int) -> None:
        """Do it with the novelty of that number, from 0."""
        raise NotImplementedError

    def counters(self) -> Mapping[str, float]:
        """Those of the model, and how many different things there were."""
        bound = self._options.distinct or self._turns
        return {**super().counters(), "novelties": float(min(self._turns, bound))}
