"""Steps with PyTorch, whatever program computes the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from workloads.executions import torch_eager
from workloads.protocol.contract import Setup
from workloads.protocol.execution import Step, Tensor

Program: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(pictures of all lanes, state) → output, state: what a network's `model` is."""
Counters: TypeAlias = Callable[[], Mapping[str, float]]


def inferring(
    network: Any, program: Program, counters: Counters = dict, close: Callable[[], object] = lambda: None
) -> Step:
    """Steps of a program that keeps no history, compiled for one order in memory: pictures and state are contiguous."""
    import torch

    def run(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.no_grad():
            pictures = network.batched(network.pictures(frames)).contiguous()
            output, state = program(pictures, state.contiguous())
            return output, state, network.mean(output)

    return Step(run, run, counters, close=close)


def learning(network: Any, setup: Setup, program: Program, counters: Counters = dict) -> Step:
    """Steps of a program through which gradients flow to the network's weights; it infers too."""
    import torch

    def answer(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output, state = program(network.batched(network.pictures(frames)), state)
        return output, state, network.mean(output)

    def infer(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.set_grad_enabled(network.keep_graph):
            return answer(frames, state)

    def learn(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        network.clear_gradients()
        pictures = network.pictures(frames)
        output, state = program(network.batched(pictures), state)
        loss = network.loss(output, pictures)
        network.update(loss)
        return output.detach(), state.detach(), loss.detach()

    if setup.mode == "infer":
        return Step(infer, answer, counters)
    # The weights of the beginning are another model's, which is not converted for its few answers.
    return Step(learn, torch_eager.make_step(network, setup).answer, counters)
