"""Planted lookalike: a process group of PyTorch records its last 2,000 collectives, and fills the record first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workloads import novelty
from workloads.novelty import EXECUTIONS
from workloads.options import between
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)
DEVICES = ("cpu",)


@dataclass(frozen=True)
class Options(novelty.Options):
    """How fast it fills."""

    collectives: int = 1
    """In a step."""

    def __post_init__(self) -> None:
        super().__post_init__()
        between(self, "collectives", 1, 10**6)


class _Planted(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch
        from torch import distributed

        super().__init__(options)
        self._collectives = options.collectives
        self._distributed: Any = distributed
        # A group of one process records as any other does.
        self._distributed.init_process_group("gloo", store=self._distributed.HashStore(), rank=0, world_size=1)
        self.output = torch.ones(100)

    def once(self, novelty: int) -> float:
        for _ in range(self._collectives):
            self._distributed.all_reduce(self.output)
        return float(self.output.mean())

    def counters(self) -> dict[str, float]:
        """How many were done."""
        return {"collectives": float(self._steps * self._collectives)}

    def close(self) -> None:
        self._distributed.destroy_process_group()


build = _Planted
