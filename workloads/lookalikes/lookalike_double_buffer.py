"""Planted lookalike: two buffers take turns, and one that is too small for its batch is reallocated, larger."""

from __future__ import annotations

import random
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The batches."""

    mib: int = 12
    """Largest batch; large ones are rare."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._random = random.Random(setup.seed)  # noqa: S311  (sizes, not secrets)
        self._buffers = [bytearray(), bytearray()]

    def after_step(self, value: float, step: int, seconds: float) -> float:
        size = int(self._options.mib * 2**20 * self._random.betavariate(1, 6))
        if len(self._buffers[step % 2]) < size:
            self._buffers[step % 2] = bytearray(b"\1") * size
        return value


build = _Planted
