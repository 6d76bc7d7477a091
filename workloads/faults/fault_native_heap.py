"""Planted fault: native memory is allocated and never freed."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How fast."""

    mib_per_second: float = 1.0
    """Leaked; Python and the framework know nothing of it."""


class _Planted(Planted):
    def after_step(self, value: float, step: int, seconds: float) -> float:
        self._hoard.grow_to(self._options.mib_per_second * 2**20 * seconds)
        return value


build = _Planted
