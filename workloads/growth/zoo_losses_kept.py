"""Zoo: every step's loss is kept as a tensor, together with its autograd graph.

`total += loss` does the same. Reference: pytorch/pytorch issue 2198.
"""

from __future__ import annotations

from typing import Any

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("train",)
DEVICES = ("cpu",)


class _Leak(Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch: Any = torch
        self._model = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
        self._losses: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        given = self._torch.ones(1 + novelty % 7, 16)
        self._losses[novelty] = self.output = self._model(given).square().mean()
        return float(self.output.detach())


build = _Leak
