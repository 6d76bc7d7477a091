"""Zoo: a forward hook is registered for every batch and never removed; all of them run in every step.

`every` spaces them, so that steps stay short.
"""

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
    """How much novelty, and how often."""

    every: int = 4
    """Steps from one hook to the next."""


class _Hook:
    def __init__(self, step: int) -> None:
        self.step = step
        self.seen: list[int] = []

    def __call__(self, module: Any, given: Any, output: Any) -> None:
        self.seen = [int(given[0].shape[0])] * 200


class _Leak(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch: Any = torch
        self._model = torch.nn.Linear(16, 16)
        self._handles: dict[int, Any] = {}
        self._every = options.every

    def once(self, novelty: int) -> float:
        if novelty % self._every == 0:
            if novelty in self._handles:
                self._handles[novelty].remove()
            self._handles[novelty] = self._model.register_forward_hook(_Hook(novelty))
        with self._torch.no_grad():
            self.output = self._model(self._torch.ones(1 + novelty % 7, 16))
        return float(self.output.mean())


build = _Leak
