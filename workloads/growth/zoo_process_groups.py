"""Zoo: a process group of PyTorch for every task, never destroyed: threads, sockets and buffers of each stay.

By NCCL on GPUs, where each keeps a communicator in device memory. `destroy = true` destroys each before the next is
made: with gloo some 2 kB of each stay even so (seen with 2.13). Alone, or in ranks, which make their groups together.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from workloads import novelty
from workloads.distribution import group
from workloads.novelty import EXECUTIONS
from workloads.protocol.contract import Setup

__all__ = ["EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)


@dataclass(frozen=True)
class Options(novelty.Options):
    """How much novelty, and whether it is let go."""

    destroy: bool = False
    """Destroy each group before the next is made."""


class _Groups(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch
        from torch import distributed

        super().__init__(options)
        if group.VARIABLE in os.environ:
            group.join(setup.device)
        else:
            group.alone(setup.device)
        self._distributed, self._destroy = distributed, options.destroy
        self._groups: dict[int, Any] = {}
        self._sum = torch.ones(1024, device=setup.device)

    def once(self, novelty: int) -> float:
        if novelty not in self._groups:
            while self._destroy and self._groups:
                self._distributed.destroy_process_group(self._groups.popitem()[1])
            self._groups[novelty] = self._distributed.new_group()
        self._sum.fill_(1.0)
        self._distributed.all_reduce(self._sum, group=self._groups[novelty])
        return float(self._sum[0])


build = _Groups
