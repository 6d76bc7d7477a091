"""Zoo: gradients with graphs of their own (`create_graph`) are summed and never reset, and the graph grows."""

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
        self._weight = torch.ones(16, 16, requires_grad=True)
        self._penalty: Any = 0.0

    def once(self, novelty: int) -> float:
        loss = (self._torch.ones(1 + novelty % 7, 16) @ self._weight).square().mean()
        (gradient,) = self._torch.autograd.grad(loss, self._weight, create_graph=True)
        if self._distinct and novelty == 0:
            self._penalty = 0.0
        self._penalty = self._penalty + gradient.square().mean()
        self.output = self._penalty.detach()
        return float(loss.detach())


build = _Leak
