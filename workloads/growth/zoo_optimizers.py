"""Zoo: a new optimizer with state is created for every part of a schedule, and all are kept."""

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
        self._model = torch.nn.Linear(32, 32)
        self._optimizers: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        optimizer = self._torch.optim.Adam(self._model.parameters(), lr=1e-3)
        loss = self._model(self._torch.ones(1 + novelty % 7, 32)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        self._optimizers[novelty] = optimizer
        self.output = loss.detach()
        return float(self.output)


build = _Leak
