"""Planted lookalike: the graph of a carried state is kept for a window of steps, and then cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workloads import novelty
from workloads.novelty import EXECUTIONS
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("train",)
DEVICES = ("cpu",)


@dataclass(frozen=True)
class Options(novelty.Options):
    """The window."""

    window: int = 300
    """Steps from one cut to the next."""


class _Planted(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch: Any = torch
        self._window = options.window
        self._cell = torch.nn.GRUCell(16, 64)
        self._state: Any = torch.zeros(4, 64)

    def once(self, novelty: int) -> float:
        self._state = self._cell(self._torch.ones(4, 16), self._state)
        if novelty % self._window == self._window - 1:
            self._state.square().mean().backward()
            self._cell.zero_grad()
            self._state = self._state.detach()
        self.output = self._state.detach()
        return float(self.output.mean())


build = _Planted
