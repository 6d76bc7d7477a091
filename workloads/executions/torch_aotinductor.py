"""PyTorch compiled ahead of time by AOTInductor, the package loaded from Python; needs a C++ compiler."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from workloads import frameworks
from workloads.conversion import torch_steps
from workloads.conversion.by_shape import ByShape
from workloads.conversion.exported import package_of, weights_for
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Step, Tensor

NAME = "aotinductor"
AUTHORED_IN = EXECUTED_BY = "torch"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("infer",)
PRECISIONS = ("float32",)
DEVICES = ("cpu",)
TOPOLOGY = SINGLE


def make_step(network: Any, setup: Setup) -> Step:
    """Steps that call the package of their shape; they count its `traces`, which are packages."""
    programs = ByShape(lambda shape: _loaded(network, package_of(network, shape)))

    def program(pictures: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = programs(tuple(pictures.shape))(pictures, state)
        return found

    return torch_steps.inferring(network, program, programs.counters)


def _loaded(network: Any, path: Path) -> Any:
    import torch

    # It unpacks a library, which stays mapped without its file, and deletes that only when a process ends by itself.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as own, mock.patch.dict(os.environ, TMPDIR=own):
        loaded = torch._inductor.aoti_load_package(str(path))
    # The network's own weights, not a copy: what happens to them must show.
    weights = weights_for(loaded.get_constant_fqns(), network)
    loaded.load_constants(weights, check_full_update=False, user_managed=True)
    return loaded
