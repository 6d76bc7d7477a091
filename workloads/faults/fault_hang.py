"""Planted fault: a step never returns."""

from __future__ import annotations

import time
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
        while seconds >= self._options.after_seconds:
            time.sleep(3600)
        return value


build = _Planted
