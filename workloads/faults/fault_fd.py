"""Planted fault: file descriptors are opened and never closed."""

from __future__ import annotations

import os
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How fast."""

    per_second: float = 2.0
    """Descriptors leaked."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._kept: list[int] = []

    def after_step(self, value: float, step: int, seconds: float) -> float:
        while len(self._kept) < self._options.per_second * seconds:
            self._kept.append(os.open(os.devnull, os.O_RDONLY))
        return value


build = _Planted
