"""Planted fault: native memory leaks in every k-th step only."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How often and how much."""

    every: int = 50
    """Steps between two leaks."""
    kib: int = 512
    """Leaked each time."""


class _Planted(Planted):
    def after_step(self, value: float, step: int, seconds: float) -> float:
        if step % self._options.every == 0:
            self._hoard.take(self._options.kib * 1024)
        return value


build = _Planted
