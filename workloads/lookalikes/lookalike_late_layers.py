"""Planted lookalike: layers are trained one after the other, each with new gradients and optimizer state."""

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
    """How slowly."""

    every: int = 80
    """Steps from one layer to the next."""
    layers: int = 12
    """In all, of 256 KiB each."""


class _Planted(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch: Any = torch
        self._every = options.every
        self._layers = [torch.nn.Linear(256, 256) for _ in range(options.layers)]
        self._optimizers: list[Any] = []

    def once(self, novelty: int) -> float:
        if novelty % self._every == 0 and len(self._optimizers) < len(self._layers):
            layer = self._layers[len(self._optimizers)]
            self._optimizers.append(self._torch.optim.Adam(layer.parameters(), lr=1e-4))
        value = self._torch.ones(2, 256)
        for layer, optimizer in zip(self._layers, self._optimizers, strict=False):
            optimizer.zero_grad(set_to_none=False)
            loss = layer(value).square().mean()
            loss.backward()
            optimizer.step()
        self.output = loss.detach()
        return float(self.output)


build = _Planted
