"""PyTorch, operation by operation."""

from __future__ import annotations

from typing import Any

from workloads import frameworks
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Step, Tensor

NAME = "eager"
AUTHORED_IN = EXECUTED_BY = "torch"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("train", "infer")
TOPOLOGY = SINGLE


def make_step(network: Any, setup: Setup) -> Step:
    """Steps that call the functions of a network of PyTorch one after another."""
    import torch

    def answer(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output, state = network.frozen(network.pictures(frames), state)
        return output, state, network.mean(output)

    def infer(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.set_grad_enabled(network.keep_graph):
            return answer(frames, state)

    def learn(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        network.clear_gradients()
        pictures = network.pictures(frames)
        output, state = network.forward(pictures, state)
        loss = network.loss(output, pictures)
        network.update(loss)
        return output.detach(), state.detach(), loss.detach()

    return Step(learn if setup.mode == "train" else infer, answer)
