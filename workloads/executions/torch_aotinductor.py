"""PyTorch compiled ahead of time by AOTInductor, the package loaded from Python; needs a C++ compiler."""

from __future__ import annotations

from typing import Any

from workloads import frameworks
from workloads.conversion import exported, kept, torch_steps
from workloads.conversion.by_shape import ByShape, Shape
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Step, Tensor

NAME = "aotinductor"
AUTHORED_IN = EXECUTED_BY = "torch"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("infer",)
PRECISIONS = ("float32",)
DEVICES = ("cpu",)
TOPOLOGY = SINGLE
missing = kept.missing


def make_step(network: Any, setup: Setup) -> Step:
    """Steps that call the package of their shape; they count its `traces`, which are packages."""
    programs = ByShape(lambda shape: _loaded(network, shape))

    def program(pictures: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = programs(tuple(pictures.shape))(pictures, state)
        return found

    return torch_steps.inferring(network, program, programs.counters)


def _loaded(network: Any, shape: Shape) -> Any:
    package = exported.loaded(exported.package_of(network.model, exported.examples(network, shape)))
    # The network's own weights, not a copy: what happens to them must show.
    weights = exported.weights_for(package.get_constant_fqns(), network.model)
    package.load_constants(weights, check_full_update=False, user_managed=True)
    return package
