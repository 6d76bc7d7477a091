"""Planted lookalike: training and evaluation take turns; each frees its data when the other starts."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How long and how much."""

    steps: int = 400
    """Of an epoch; the last quarter evaluates."""
    kib: int = 32
    """Gathered in each step of training; four times that in evaluation."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._gathered: list[bytes] = []

    def after_step(self, value: float, step: int, seconds: float) -> float:
        place = step % self._options.steps
        evaluates = place >= 3 * self._options.steps // 4
        if place in (0, 3 * self._options.steps // 4):
            self._gathered.clear()
        self._gathered.append(b"\1" * (self._options.kib * 1024 * (4 if evaluates else 1)))
        return value


build = _Planted
