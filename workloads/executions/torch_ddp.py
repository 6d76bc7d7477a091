"""PyTorch's DistributedDataParallel: each rank a process, gradients averaged by gloo, on GPUs by NCCL.

All ranks see the same clips, so that their averaged gradients are those of one process: what they compute is what eager
execution computes.
"""

from __future__ import annotations

from typing import Any

from workloads import frameworks
from workloads.distribution import group
from workloads.executions import torch_eager
from workloads.protocol.contract import Setup
from workloads.protocol.execution import Step, Tensor, Topology

NAME = "ddp"
AUTHORED_IN = EXECUTED_BY = "torch"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("train",)
TOPOLOGY = Topology(ranks=2)


def make_step(network: Any, setup: Setup) -> Step:
    """Steps that wait for those of all other ranks; they count their `all_reduces`."""
    group.join(setup.device)
    from torch.nn.parallel import DistributedDataParallel

    model = DistributedDataParallel(network.model)
    count = AllReduces(model)

    def learn(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        network.clear_gradients()
        pictures = network.pictures(frames)
        output, state = model(network.batched(pictures), state)
        loss = network.loss(output, pictures)
        network.update(loss)
        count.step()
        return output.detach(), state.detach(), loss.detach()

    return Step(learn, torch_eager.make_step(network, setup).answer, lambda: {"all_reduces": float(count.done)})


class AllReduces:
    """How many a model has done: one for each bucket of gradients in each step."""

    def __init__(self, model: Any) -> None:
        self.done = 0
        self._model = model
        self._each = 0
        """In a step; known once the buckets are as they stay, after the first step."""

    def step(self) -> None:
        """It has made one."""
        if self._each:
            self.done += self._each
            return
        told = self._model._get_ddp_logging_data()
        buckets = int(told.get("num_buckets_reduced", 1))
        self.done += buckets
        self._each = buckets if told.get("has_rebuilt_buckets") else 0
