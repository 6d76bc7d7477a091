"""Planted fault: a step never returns."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """When."""

    after_seconds: float = 3.0
    """Clean until then."""
    rank: int = -1
    """The one that hangs, of a trial of several ranks; -1 for all."""


class _Planted(Planted):
    def after_step(self, value: float, step: int, seconds: float) -> float:
        if self._options.rank not in (-1, int(os.environ.get("RANK", "0"))):
            return value
        while seconds >= self._options.after_seconds:
            time.sleep(3600)
        return value


build = _Planted
