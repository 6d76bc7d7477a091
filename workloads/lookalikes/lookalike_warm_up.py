"""Planted lookalike: memory approaches its level more and more slowly, for minutes, as in a warm-up."""

from __future__ import annotations

import math
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How high and how slowly."""

    mib: int = 24
    """The level."""
    steps: float = 400.0
    """After these it is short of the level by 37 %, and so on."""


class _Planted(Planted):
    def after_step(self, value: float, step: int, seconds: float) -> float:
        self._hoard.grow_to(self._options.mib * 2**20 * (1.0 - math.exp(-step / self._options.steps)))
        return value


build = _Planted
