"""Planted lookalike: a thread pool is created for every batch of work and shut down after it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How often."""

    every: int = 10
    """Steps from one pool to the next."""
    threads: int = 4
    """Of a pool."""


class _Planted(Planted):
    def after_step(self, value: float, step: int, seconds: float) -> float:
        if step % self._options.every == 0:
            with ThreadPoolExecutor(self._options.threads) as pool:
                sum(pool.map(len, (b"\1" * 2**16 for _ in range(4 * self._options.threads))))
        return value


build = _Planted
