"""Zoo: a session is kept for every user, each of a different size, and none expires."""

from __future__ import annotations

import random

from workloads import frameworks
from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._ones, self._device = frameworks.load(setup.framework).ones, setup.device
        self._random = random.Random(setup.seed)  # noqa: S311  (lengths, not secrets)

    def once(self, novelty: int) -> None:
        length = self._random.randint(1, self._options.size // 2)
        self._kept[novelty] = self._ones(length, self._device)


build = _Leak
