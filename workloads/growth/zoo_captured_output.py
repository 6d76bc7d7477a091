"""Zoo: all output is captured in memory for a report that is never written."""

from __future__ import annotations

import io

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._captured = io.StringIO()

    def once(self, novelty: int) -> None:
        if self._options.distinct and novelty == 0:
            self._captured = io.StringIO()
        self._captured.write("." * (self._options.size // 4))


build = _Leak
