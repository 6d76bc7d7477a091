"""Planted lookalike: a `DataLoader` starts new workers for each epoch, and stops them after it."""

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
    """The epochs."""

    batches: int = 120
    """Of an epoch."""
    workers: int = 1
    """Of a loader."""


class _Planted(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch: Any = torch
        from torch.utils.data import DataLoader, TensorDataset

        data = TensorDataset(torch.ones(4 * options.batches, 64))
        self._loader: Any = DataLoader(data, batch_size=4, num_workers=options.workers)
        self._batches: Any = iter(())

    def once(self, novelty: int) -> float:
        batch = next(self._batches, None)
        if batch is None:
            self._batches = iter(self._loader)
            batch = next(self._batches)
        (self.output,) = batch
        return float(self.output.mean())

    def close(self) -> None:
        self._batches = iter(())


build = _Planted
