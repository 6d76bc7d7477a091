"""Planted lookalike: blocks of all sizes come and go at random and leave holes in the heap, up to a level."""

from __future__ import annotations

import random
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The blocks."""

    blocks: int = 1500
    """That live at a time."""
    most_kib: int = 64
    """Largest; sizes are spread over the three decades below."""
    changed: int = 20
    """In a step."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._random = random.Random(setup.seed)  # noqa: S311  (sizes, not secrets)
        self._blocks: list[bytes] = [b""] * options.blocks

    def after_step(self, value: float, step: int, seconds: float) -> float:
        for _ in range(self._options.changed):
            size = int(self._options.most_kib * 1024 * 10 ** -self._random.uniform(0, 3))
            self._blocks[self._random.randrange(len(self._blocks))] = b"\1" * size
        return value


build = _Planted
