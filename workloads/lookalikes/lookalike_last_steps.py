"""Planted lookalike: statistics of the last steps are kept in a dict, and older ones are removed."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The window."""

    steps: int = 700
    """That it reaches back."""
    records: int = 30
    """Of a step."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._records: dict[int, list[dict[str, float]]] = {}

    def after_step(self, value: float, step: int, seconds: float) -> float:
        self._records[step] = [{"lane": float(lane), "loss": value + lane} for lane in range(self._options.records)]
        self._records.pop(step - self._options.steps, None)
        return value


build = _Planted
