"""Zoo: a model is traced by `torch.fx` for every request; the source of each generated module stays."""

from __future__ import annotations

from typing import Any

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)
DEVICES = ("cpu",)


class _Leak(Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch
        import torch.fx

        super().__init__(options)
        self._torch: Any = torch
        self._model = torch.nn.Sequential(*(torch.nn.Linear(8, 8) for _ in range(8)))
        self._traced: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        traced = self._traced.get(novelty) or self._torch.fx.symbolic_trace(self._model)
        if self._distinct:
            self._traced[novelty] = traced
        with self._torch.no_grad():
            self.output = traced(self._torch.ones(1, 8))
        return float(self.output.mean())


build = _Leak
