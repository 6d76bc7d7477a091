"""Planted lookalike: memory grows and is freed, over and over."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How high and how often."""

    mib: int = 16
    """Height of a tooth."""
    period_seconds: float = 4.0
    """Time from tooth to tooth."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._turn = 0.0

    def after_step(self, value: float, step: int, seconds: float) -> float:
        turn, part = divmod(seconds / self._options.period_seconds, 1.0)
        if turn != self._turn:
            self._hoard.drop()
            self._turn = turn
        self._hoard.grow_to(self._options.mib * 2**20 * part)
        return value


build = _Planted
