"""Zoo: `torch.compile` of a new model and a reset, again and again; part of each compilation stays.

`distinct` bounds how many models are compiled before they are only called.
"""

from __future__ import annotations

from typing import Any

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)


class _Compiles(Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch = torch
        self._device = setup.device
        self._compiled: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        given = self._torch.ones(2, 8, device=self._device)
        compiled = self._compiled.get(novelty) or self._new()
        if self._distinct:
            self._compiled[novelty] = compiled
        with self._torch.no_grad():
            self.output = compiled(given)
        return float(self.output.mean())

    def _new(self) -> Any:
        if not self._distinct:
            self._torch._dynamo.reset()
        model = self._torch.nn.Sequential(self._torch.nn.Linear(8, 8), self._torch.nn.ReLU())
        return self._torch.compile(model.to(self._device), backend="aot_eager")


def build(setup: Setup, options: Options) -> Novel:
    """The loop over models."""
    return _Compiles(setup, options)
