"""Planted lookalike: `torch.compile` compiles for new shapes up to its limit, and then runs uncompiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workloads import novelty
from workloads.novelty import EXECUTIONS
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)
DEVICES = ("cpu",)


@dataclass(frozen=True)
class Options(novelty.Options):
    """How often."""

    every: int = 40
    """Steps from one new shape to the next."""


class _Planted(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch: Any = torch
        self._every = options.every
        self._model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU())
        self._compiled: Any = torch.compile(self._model, backend="aot_eager", dynamic=False)

    def once(self, novelty: int) -> float:
        with self._torch.no_grad():
            self.output = self._compiled(self._torch.ones(1 + novelty // self._every, 8))
        return float(self.output.mean())


build = _Planted
