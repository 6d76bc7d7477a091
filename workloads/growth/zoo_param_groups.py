"""Zoo: a new head is added to the optimizer for every task, with its state, and none is ever removed."""

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
        self._body = torch.nn.Linear(16, 16)
        self._optimizer = torch.optim.Adam(self._body.parameters(), lr=1e-3)
        self._heads: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        head = self._heads.get(novelty)
        if head is None:
            head = self._torch.nn.Linear(16, 64)
            self._optimizer.add_param_group({"params": list(head.parameters())})
            if self._distinct:
                self._heads[novelty] = head
        self._optimizer.zero_grad(set_to_none=True)
        loss = head(self._body(self._torch.ones(1 + novelty % 7, 16))).square().mean()
        loss.backward()
        self._optimizer.step()
        self.output = loss.detach()
        return float(self.output)


build = _Leak
