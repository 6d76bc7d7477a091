"""PyTorch compiled ahead of time by AOTInductor and run by a C++ program, a child; needs a C++ compiler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workloads import frameworks
from workloads.conversion import kept, torch_steps
from workloads.conversion.aoti_program import AotiProgram
from workloads.conversion.by_shape import ByShape
from workloads.conversion.exported import examples, package_of
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Step, Tensor

NAME = "aotinductor_cpp"
AUTHORED_IN = EXECUTED_BY = "torch"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("infer",)
PRECISIONS = ("float32",)
DEVICES = ("cpu",)
TOPOLOGY = SINGLE
missing = kept.missing


def make_step(network: Any, setup: Setup) -> Step:
    """Steps that send pictures and state through a pipe to the program, and read what it answers.

    Its memory counts: it is a process of the trial. Each shape has a package; the steps count them as `traces`.
    """
    child = AotiProgram(setup.threads)
    packages = ByShape(lambda shape: package_of(network.model, examples(network, shape)))
    sent: dict[Path, list[int]] = {}

    def program(pictures: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        package, weights = packages(tuple(pictures.shape)), network.model.state_dict()
        # Those of the package are somebody else's; and what happens to the network's later must show.
        versions = [weight._version for weight in weights.values()]
        changed = {} if sent.get(package) == versions else weights
        output, state = child.run(package, changed, (pictures, state))
        sent[package] = versions
        return output, state

    return torch_steps.inferring(network, program, packages.counters, child.close)
