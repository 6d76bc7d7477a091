"""PyTorch, its clips through a `DataLoader`: a worker process, shared memory, and pinned memory on a GPU."""

from __future__ import annotations

from typing import Any

from workloads import frameworks
from workloads.conversion.fed_loader import FedLoader
from workloads.executions import torch_eager
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Step, Tensor

NAME = "data_loader"
AUTHORED_IN = EXECUTED_BY = "torch"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("train", "infer")
TOPOLOGY = SINGLE


def make_step(network: Any, setup: Setup) -> Step:
    """Steps as in eager mode, with pictures that a worker makes."""
    on_gpu = setup.device == "cuda"
    loader = FedLoader(network, pinned=on_gpu)
    eager = torch_eager.make_step(_Loaded(network, loader), setup)
    return Step(eager.run, torch_eager.make_step(network, setup).answer, eager.counters, close=loader.close)


class _Loaded:
    """A network whose pictures come from a loader."""

    def __init__(self, network: Any, loader: FedLoader) -> None:
        self._network, self._loader = network, loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def pictures(self, frames: Tensor) -> Tensor:
        return self._loader.pictures(frames.cpu()).to(frames.device, non_blocking=True)
