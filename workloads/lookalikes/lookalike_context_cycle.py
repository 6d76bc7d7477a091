"""Planted lookalike: an autograd function keeps its own output, a cycle that only garbage collection frees.

`distinct` other than 0 saves it by `save_for_backward`, which leaves no cycle.
"""

from __future__ import annotations

from typing import Any

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("train",)
DEVICES = ("cpu",)


class _Planted(Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch: Any = torch
        self._weight = torch.ones(1024, requires_grad=True)
        self._apply = _function(saved=options.distinct > 0)

    def once(self, novelty: int) -> float:
        self.output = self._apply(self._weight * float(1 + novelty % 7))
        return float(self.output.detach().mean())


def _function(saved: bool) -> Any:
    from torch.autograd import Function

    class Squared(Function):
        @staticmethod
        def forward(ctx: Any, given: Any) -> Any:
            output = given * given
            if saved:
                ctx.save_for_backward(given)
            else:
                ctx.given, ctx.output = given, output
            return output

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            (given,) = ctx.saved_tensors if saved else (ctx.given,)
            return gradients[0] * 2 * given

    return Squared.apply


build = _Planted
