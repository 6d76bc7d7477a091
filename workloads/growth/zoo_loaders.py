"""Zoo: a `DataLoader` with a persistent worker is created for every epoch, and its process stays.

Reference: pytorch/pytorch issue 62066.
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
    """How much novelty, and how long an epoch is."""

    spacing: int = 40
    """Steps of an epoch."""


class _Leak(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch: Any = torch
        self._every = options.spacing
        self._epochs: dict[int, Any] = {}
        self._steps_in_all = 0

    def once(self, novelty: int) -> float:
        if self._steps_in_all % self._every == 0:
            epoch = self._steps_in_all // self._every
            self._open(epoch % self._distinct if self._distinct else epoch)
        self._steps_in_all += 1
        return 1.0

    def _open(self, epoch: int) -> None:
        from torch.utils.data import DataLoader, TensorDataset

        self._epochs.pop(epoch, None)
        data = TensorDataset(self._torch.ones(64, 4))
        loader: Any = DataLoader(data, batch_size=8, num_workers=1, persistent_workers=True)
        self._epochs[epoch] = batches = iter(loader)
        (self.output,) = next(batches)

    def close(self) -> None:
        self._epochs.clear()


build = _Leak
