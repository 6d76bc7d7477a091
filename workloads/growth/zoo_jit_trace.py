"""Zoo: `torch.jit.trace` of a small network again and again; a registry in the process keeps each trace.

Reference: pytorch/pytorch issues 35600 and 58109.
"""

from __future__ import annotations

from typing import Any

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)


class _Traces(Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch: Any = torch
        self._model = torch.nn.Sequential(*(torch.nn.Linear(8, 8) for _ in range(4))).to(setup.device)
        self._device = setup.device
        self._traced: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        given = self._torch.ones(1, 8, device=self._device)
        traced = self._traced.get(novelty) or self._torch.jit.trace(self._model, given)
        if self._distinct:
            self._traced[novelty] = traced
        self.output = traced(given).detach()
        return float(self.output.mean())


def build(setup: Setup, options: Options) -> Novel:
    """The loop over traces."""
    return _Traces(setup, options)
