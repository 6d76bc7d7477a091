"""Planted fault: the loss becomes NaN."""

from __future__ import annotations

import math
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """When."""

    after_seconds: float = 3.0
    """Clean until then."""


class _Planted(Planted):
    def after_step(self, value: float, step: int, seconds: float) -> float:
        return value if seconds < self._options.after_seconds else math.nan


build = _Planted
