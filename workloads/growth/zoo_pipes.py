"""Zoo: a pipe is created for every request, and neither end is ever closed."""

from __future__ import annotations

import os

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SeldomOptions as Options

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        for end in self._kept.get(novelty, ()):
            os.close(end)
        self._kept[novelty] = os.pipe()


build = _Leak
