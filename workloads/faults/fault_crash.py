"""Planted fault: the process crashes with a segmentation fault."""

from __future__ import annotations

import ctypes
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
        if seconds >= self._options.after_seconds:
            ctypes.string_at(0)
        return value


build = _Planted
