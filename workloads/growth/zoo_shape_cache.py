"""Zoo: masks are cached by sequence length, and new lengths keep coming.

`distinct` bounds the lengths: with a few dozen it is a cache that fills.
"""

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
        self._ones = np.ones
        self._masks: dict[tuple[int, int], Any] = {}

    def once(self, novelty: int) -> None:
        shape = (novelty + 1, self._options.size // 4)
        if shape not in self._masks:
            self._masks[shape] = self._ones(shape[1], "float32")


build = _Leak
