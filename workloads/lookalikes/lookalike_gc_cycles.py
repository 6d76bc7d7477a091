"""Planted lookalike: cycles of objects hold buffers until a rare garbage collection.

With `every` = 0 Python collects by its own thresholds. Reference: PyAV-Org/PyAV issues 317 and 517.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How much, how often."""

    kib: int = 16
    """Held by each cycle."""
    every: int = 700
    """Steps from one full collection to the next; 0 leaves it to Python."""


class _Node:
    def __init__(self, buffer: bytes) -> None:
        self.own = self
        self.buffer = buffer


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        if options.every:
            gc.disable()

    def after_step(self, value: float, step: int, seconds: float) -> float:
        _Node(b"\1" * (self._options.kib * 1024))
        if self._options.every and step % self._options.every == 0:
            gc.collect()
        return value

    def close(self) -> None:
        gc.enable()
        super().close()


build = _Planted
