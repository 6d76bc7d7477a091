"""Planted fault: native memory leaks, but only after some time."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """When and how fast."""

    after_seconds: float = 20.0
    """Clean until then."""
    mib_per_second: float = 2.0
    """Leaked from then on."""


class _Planted(Planted):
    def after_step(self, value: float, step: int, seconds: float) -> float:
        self._hoard.grow_to(self._options.mib_per_second * 2**20 * (seconds - self._options.after_seconds))
        return value


build = _Planted
