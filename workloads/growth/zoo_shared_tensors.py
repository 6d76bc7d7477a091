"""Zoo: tensors shared through files are kept, and each stays mapped from /dev/shm.

Reference: pytorch/pytorch issue 17499.
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
    """How much novelty, and how large."""

    kib: int = 64
    """Size of a tensor."""


class _Leak(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch
        import torch.multiprocessing

        super().__init__(options)
        sharing: Any = torch.multiprocessing
        sharing.set_sharing_strategy("file_system")
        self._torch: Any = torch
        self._numbers = options.kib * 256
        self._kept: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        self._kept[novelty] = self.output = self._torch.ones(self._numbers).share_memory_()
        return 1.0

    def close(self) -> None:
        self._kept.clear()


build = _Leak
