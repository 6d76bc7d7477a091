"""Zoo: each step's result is appended to one array, which is reallocated and grows."""

from __future__ import annotations

from typing import Any

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        import numpy as np

        super().__init__(setup, options)
        self._numpy: Any = np
        self._scores = np.empty(0, dtype=np.float32)

    def once(self, novelty: int) -> None:
        latest = self._numpy.full(self._options.size // 4, float(novelty), dtype=self._numpy.float32)
        self._scores = self._numpy.concatenate([self._scores, latest])
        if self._options.distinct:
            self._scores = self._scores[-self._options.distinct * len(latest) :].copy()


build = _Leak
