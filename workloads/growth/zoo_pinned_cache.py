"""Zoo: more and more pinned host buffers are in use at once; PyTorch's cache never frees one.

Every step copies one clip's worth through them and lets all go, as a loader does whose batches grow. The cache rounds
sizes up to powers of two and serves what fits, so that ever new sizes alone level off; what was once in use at the
same time stays page-locked for good. `distinct` bounds how many are in use at once.
Reference: pytorch/pytorch issues 97432 and 95823.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads import novelty
from workloads.novelty import EXECUTIONS
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)
DEVICES = ("cuda",)


@dataclass(frozen=True)
class Options(novelty.Options):
    """How much novelty, and how large each buffer is."""

    kib: int = 256
    """Size of a buffer; a step that is new has one more of them than any before."""


class _Buffers(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch, self._device = torch, setup.device
        self._size = options.kib * 1024

    def once(self, novelty: int) -> float:
        torch = self._torch
        buffers = [torch.empty(self._size, dtype=torch.uint8, pin_memory=True) for _ in range(novelty + 1)]
        buffers[-1].fill_(novelty % 256)
        self.output = buffers[-1].to(self._device, non_blocking=True).float().mean()
        return float(self.output)


def build(setup: Setup, options: Options) -> novelty.Novel:
    """The loop over buffers."""
    return _Buffers(setup, options)
