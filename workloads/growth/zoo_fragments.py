"""Zoo: large blocks come and go between small ones that stay, and fragment PyTorch's caching allocator.

What is reserved grows while what is allocated does not: a small tensor takes a corner of a large block that was freed,
and the next large one needs a new block. It levels off once the small ones lie where they fit; `distinct` bounds the
sizes, and how many small ones there are. PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True is the cure to compare with.
Reference: pytorch/pytorch issue 35901 and pull request 96995.
"""

from __future__ import annotations

from typing import Any

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)
DEVICES = ("cuda",)

_MIB = 2**20
_LEAST, _SIZES, _STRIDE = 16, 97, 37
"""A large block has 16 to 112 MiB; the stride is coprime to the number of sizes, so that they come in no order."""
_SMALL = 2 * _MIB
_KEPT = 48
"""Small ones that live at a time."""


class _Fragments(Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch, self._device = torch, setup.device
        self._kept: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        large = self._take((_LEAST + novelty * _STRIDE % _SIZES) * _MIB)
        del large
        self._kept[novelty % _KEPT] = self.output = self._take(_SMALL)
        return float(len(self._kept))

    def _take(self, size: int) -> Any:
        return self._torch.empty(size, dtype=self._torch.uint8, device=self._device)


def build(setup: Setup, options: Options) -> Novel:
    """The loop over sizes."""
    return _Fragments(setup, options)
