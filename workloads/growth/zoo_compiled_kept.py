"""Zoo: a new model is compiled in every step and dropped, but a cache of compiled functions keeps its weights.

As in servers that remember what they compiled by the version of the model, and never forget one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)

_HIDDEN = 512
"""A weight of 512 x 512 numbers takes 1 MiB."""


class _Compiled(Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch, self._device = torch, setup.device
        self._given = torch.ones(2, _HIDDEN, device=setup.device)
        self._cache: dict[int, Callable[[Any], Any]] = {}

    def once(self, novelty: int) -> float:
        compiled = self._cache.get(novelty)
        if compiled is None:
            compiled = self._cache[novelty] = self._new()
        with self._torch.no_grad():
            self.output = compiled(self._given)
        return float(self.output.mean())

    def _new(self) -> Callable[[Any], Any]:
        nn = self._torch.nn
        model = nn.Sequential(nn.Linear(_HIDDEN, _HIDDEN), nn.ReLU()).to(self._device)
        compiled: Callable[[Any], Any] = self._torch.compile(model, backend="aot_eager")
        return compiled


def build(setup: Setup, options: Options) -> Novel:
    """The loop over models."""
    return _Compiled(setup, options)
