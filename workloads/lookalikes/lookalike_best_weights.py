"""Planted lookalike: copies of the weights of the few best steps are kept, and better ones become rare."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass
from typing import Any

from workloads import frameworks
from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How many."""

    best: int = 12
    """That are kept."""
    kib: int = 1024
    """Size of a copy."""
    every: int = 10
    """Steps from one to the next."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._ones = frameworks.load(setup.framework).ones
        self._random = random.Random(setup.seed)  # noqa: S311  (losses, not secrets)
        self._best: list[tuple[float, int, Any]] = []

    def after_step(self, value: float, step: int, seconds: float) -> float:
        if step % self._options.every == 0:
            heapq.heappush(self._best, (-self._random.random(), step, self._ones(self._options.kib * 256, "cpu")))
            if len(self._best) > self._options.best:
                heapq.heappop(self._best)
        return value


build = _Planted
