"""Zoo: a curve is drawn with pyplot now and then, and the figure is never closed.

`distinct` closes all but that many. Reference: matplotlib/matplotlib issues 8519 and 8560.
"""

from __future__ import annotations

import importlib
import io
from typing import Any

from workloads.beside import FRAMEWORKS, MODES, Beside, Options
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "REQUIRES", "Options", "build"]

REQUIRES = {"matplotlib": "matplotlib"}


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        matplotlib: Any = importlib.import_module("matplotlib")

        super().__init__(setup, options)
        matplotlib.use("Agg")
        matplotlib.rcParams["figure.max_open_warning"] = 0
        self._pyplot: Any = importlib.import_module("matplotlib.pyplot")

    def once(self, novelty: int) -> None:
        before = self._kept.get(novelty)
        if before is not None:
            self._pyplot.close(before)
        figure, axes = self._pyplot.subplots(figsize=(3, 2), dpi=60)
        axes.plot([1.0 / (1 + place) for place in range(50)])
        figure.savefig(io.BytesIO(), format="png")
        if self._options.distinct:
            self._kept[novelty] = figure


build = _Leak
