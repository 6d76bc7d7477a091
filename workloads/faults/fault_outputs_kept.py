"""Planted fault: tensors are appended to a list that is never emptied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workloads import frameworks
from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How much in each step."""

    kib: int = 16
    """Size of the tensor kept in each step, beside the step's output."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._ones, self._device = frameworks.load(setup.framework).ones, setup.device
        self._kept: list[Any] = []

    def after_step(self, value: float, step: int, seconds: float) -> float:
        self._kept.append((self.output, self._ones(self._options.kib * 256, self._device)))
        return value


build = _Planted
