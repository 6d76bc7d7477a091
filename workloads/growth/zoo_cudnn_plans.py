"""Zoo: a convolution over images of ever new sizes on a GPU; cuDNN makes an execution plan for each.

PyTorch keeps plans on the host, 10,000 at most by default (TORCH_CUDNN_V8_API_LRU_CACHE_LIMIT); with the plan stays
what cuDNN compiled for it.
Reference: pytorch/pytorch issues 98688 and 104701.
"""

from __future__ import annotations

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)
DEVICES = ("cuda",)

_SMALLEST, _SIDES = 16, 256
_STRIDE = 40503
"""Coprime to the number of sizes: they come in no order, so that they do not grow along."""


class _Shapes(Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch, self._device = torch, setup.device
        self._conv = torch.nn.Conv2d(8, 16, 3).to(setup.device)

    def once(self, novelty: int) -> float:
        height, width = divmod(novelty * _STRIDE % _SIDES**2, _SIDES)
        with self._torch.no_grad():
            given = self._torch.ones(1, 8, _SMALLEST + height, _SMALLEST + width, device=self._device)
            self.output = self._conv(given)
        return float(self.output.mean())


def build(setup: Setup, options: Options) -> Novel:
    """The loop over sizes."""
    return _Shapes(setup, options)
