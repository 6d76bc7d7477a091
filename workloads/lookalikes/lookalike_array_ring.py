"""Planted lookalike: a ring of the latest results, arrays of all sizes, drops the oldest."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import Any

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The ring."""

    places: int = 300
    """Arrays in it."""
    most_kib: int = 256
    """Largest array; sizes are spread over the two decades below."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        import numpy as np

        super().__init__(setup, options)
        self._numpy: Any = np
        self._random = random.Random(setup.seed)  # noqa: S311  (sizes, not secrets)
        self._ring: deque[Any] = deque(maxlen=options.places)

    def after_step(self, value: float, step: int, seconds: float) -> float:
        size = int(self._options.most_kib * 256 * 10 ** -self._random.uniform(0, 2))
        self._ring.append(self._numpy.full(size, value, dtype=self._numpy.float32))
        return value


build = _Planted
