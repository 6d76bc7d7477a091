"""Planted lookalike: a cache bounded in bytes, with entries of all sizes, drops the oldest."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The cache."""

    mib: int = 24
    """Its bound."""
    most_kib: int = 128
    """Largest entry; sizes are spread over the two decades below."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._random = random.Random(setup.seed)  # noqa: S311  (sizes, not secrets)
        self._entries: deque[bytes] = deque()
        self._held = 0

    def after_step(self, value: float, step: int, seconds: float) -> float:
        entry = b"\1" * int(self._options.most_kib * 1024 * 10 ** -self._random.uniform(0, 2))
        self._entries.append(entry)
        self._held += len(entry)
        while self._held > self._options.mib * 2**20:
            self._held -= len(self._entries.popleft())
        return value


build = _Planted
