"""Planted lookalike: pool threads allocate and free tensors of all sizes; malloc's arenas keep the peak.

Reference: pytorch/pytorch issue 41486.
"""

from __future__ import annotations

import functools
import random
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from workloads import frameworks
from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The load."""

    threads: int = 8
    """That allocate."""
    most_kib: int = 120
    """Largest tensor; sizes are spread over the three decades below."""
    alive: int = 400
    """Tensors that live at a time."""
    requests: int = 8
    """In a step."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._ones = functools.partial(frameworks.load(setup.framework).ones, device="cpu")
        self._random = random.Random(setup.seed)  # noqa: S311  (sizes, not secrets)
        self._pool = ThreadPoolExecutor(options.threads)
        self._alive: deque[Any] = deque(maxlen=options.alive)

    def after_step(self, value: float, step: int, seconds: float) -> float:
        most = self._options.most_kib * 256
        sizes = [1 + int(most * 10 ** -self._random.uniform(0, 3)) for _ in range(self._options.requests)]
        self._alive.extend(self._pool.map(self._ones, sizes))
        return value

    def close(self) -> None:
        self._pool.shutdown()
        super().close()


build = _Planted
