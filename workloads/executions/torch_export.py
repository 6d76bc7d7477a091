"""PyTorch through `torch.export`: saved as .pt2, loaded anew, and called; a program for every shape."""

from __future__ import annotations

import io
from typing import Any

from workloads import frameworks
from workloads.conversion import torch_steps
from workloads.conversion.by_shape import ByShape, Shape
from workloads.conversion.exported import examples, exported, library_warnings_ignored
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Step, Tensor

NAME = "export"
AUTHORED_IN = EXECUTED_BY = "torch"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("infer",)
TOPOLOGY = SINGLE


def make_step(network: Any, setup: Setup) -> Step:
    """Steps that call the module of the loaded program; they count its `traces`, which are exports."""
    programs = ByShape(lambda shape: _loaded(network, shape))

    def program(pictures: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = programs(tuple(pictures.shape))(pictures, state)
        return found

    return torch_steps.inferring(network, program, programs.counters)


def _loaded(network: Any, shape: Shape) -> Any:
    import torch

    file = io.BytesIO()
    with library_warnings_ignored():
        torch.export.save(exported(network.model, examples(network, shape)), file)
        file.seek(0)
        module = torch.export.load(file).module()
    # The network's own weights in place of the copy: what happens to them must show.
    module.load_state_dict(network.model.state_dict(keep_vars=True), assign=True)
    return module
