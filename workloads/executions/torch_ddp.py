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
    reduced = 0

    def learn(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        nonlocal reduced
        network.clear_gradients()
        pictures = network.pictures(frames)
        output, state = model(network.batched(pictures), state)
        loss = network.loss(output, pictures)
        network.update(loss)
        reduced += 1
        return output.detach(), state.detach(), loss.detach()

    return Step(learn, torch_eager.make_step(network, setup).answer, lambda: {"all_reduces": float(reduced)})
