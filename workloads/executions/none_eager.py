"""No framework: plain calls."""

from __future__ import annotations

from workloads import frameworks
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step, Tensor

NAME = "eager"
AUTHORED_IN = EXECUTED_BY = "none"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("train", "infer")
TOPOLOGY = SINGLE


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that call the network's functions one after another."""

    def infer(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output, state = network.frozen(network.pictures(frames), state)
        return output, state, network.mean(output)

    def learn(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pictures = network.pictures(frames)
        output, state = network.forward(pictures, state)
        loss = network.loss(output, pictures)
        network.update(loss)
        return output, state, loss

    return Step(learn if setup.mode == "train" else infer, infer)
