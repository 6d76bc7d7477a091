"""Planted lookalike: a pool of buffers grows to the most ever in use at once, and stays there.

How many requests come at once is random with a long tail, so that new records become ever rarer.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The pool."""

    most: int = 64
    """Requests at once, at most."""
    kib: int = 256
    """Size of a buffer."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._random = random.Random(setup.seed)  # noqa: S311  (load, not secrets)
        self._free: list[bytearray] = []

    def after_step(self, value: float, step: int, seconds: float) -> float:
        wanted = min(int(self._random.paretovariate(1.2)), self._options.most)
        while len(self._free) < wanted:
            self._free.append(bytearray(b"\1") * (self._options.kib * 1024))
        for buffer in self._free[:wanted]:
            buffer[0] = step % 256
        return value


build = _Planted
