"""Zoo: a copy of the weights is kept in memory every few steps, to choose the best, and none is dropped."""

from __future__ import annotations

from workloads import frameworks
from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._ones, self._device = frameworks.load(setup.framework).ones, setup.device

    def once(self, novelty: int) -> None:
        self._kept[novelty] = {
            "step": self._turns,
            "kernel": self._ones(self._options.size // 4, self._device),
            "bias": self._ones(64, self._device),
        }


build = _Leak
