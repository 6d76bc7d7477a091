"""Zoo: a convolution over images of ever new sizes; oneDNN keeps a primitive for each, up to a limit.

Nothing leaks: the cache is bounded at 1,024 primitives, though what is resident creeps on.
Reference: pytorch/pytorch issues 32037 and 27971.
"""

from __future__ import annotations

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)
DEVICES = ("cpu",)

_SMALLEST, _SIDES = 16, 96
_STRIDE = 3571
"""Coprime to the number of sizes: they come in no order, so that they do not grow along."""


class _Shapes(Novel):
    def __init__(self, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch = torch
        self._conv = torch.nn.Conv2d(3, 8, 3)

    def once(self, novelty: int) -> float:
        height, width = divmod(novelty * _STRIDE % _SIDES**2, _SIDES)
        with self._torch.no_grad():
            self.output = self._conv(self._torch.ones(1, 3, _SMALLEST + height, _SMALLEST + width))
        return float(self.output.mean())


def build(setup: Setup, options: Options) -> Novel:
    """The loop over sizes."""
    return _Shapes(options)
