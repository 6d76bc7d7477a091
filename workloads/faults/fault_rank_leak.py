"""Planted fault: one of several ranks never frees what it allocates.

After each step all of them sum up a tensor, so that one that is gone or stuck holds up the others. On GPUs they sum by
NCCL, and what leaks is memory of the rank's GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workloads.distribution import group
from workloads.planted import Hoard, Kept, Planted
from workloads.protocol.contract import Setup

FRAMEWORKS = ("torch",)
MODES = ("train", "infer")


@dataclass(frozen=True)
class Options:
    """Who leaks, and how fast."""

    rank: int = 1
    """The one that leaks; -1 for none."""
    mib_per_second: float = 1.0
    """Leaked: live tensors on a GPU; on the processor memory that Python and the framework know nothing of."""
    timeout: float = 600.0
    """Seconds that a rank waits for the others in a sum."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch
        from torch import distributed

        super().__init__(setup, options)
        gpu = setup.device == "cuda"
        group.join(setup.device, options.timeout)
        self._distributed = distributed
        self._leaks = distributed.get_rank() == options.rank
        self._kept: Kept | Hoard = Kept(setup.framework, setup.device) if gpu else self._hoard
        self._sum: Any = torch.zeros(1024, device=setup.device)

    def after_step(self, value: float, step: int, seconds: float) -> float:
        self._sum.fill_(float(step))
        self._distributed.all_reduce(self._sum)
        self._sum[0].item()  # a GPU sums when it comes to it: a step ends when all have summed
        if self._leaks:
            self._kept.grow_to(self._options.mib_per_second * 2**20 * seconds)
        return value


def build(setup: Setup, options: Options) -> Planted:
    """The model with this planted beside it.

    Raises:
        ValueError: there are no ranks.
    """
    return _Planted(setup, options)
