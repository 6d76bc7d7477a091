"""PyTorch with TorchScript (`torch.jit.script`), which PyTorch has deprecated: one program for every shape."""

from __future__ import annotations

import warnings
from typing import Any

from workloads import frameworks
from workloads.conversion import torch_steps
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Step

NAME = "torchscript"
AUTHORED_IN = EXECUTED_BY = "torch"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("train", "infer")
TOPOLOGY = SINGLE


def make_step(network: Any, setup: Setup) -> Step:
    """Steps that call the scripted model; in training gradients flow through it to the network's own weights."""
    import torch

    with warnings.catch_warnings():
        # Programs that were written with it are run all the same.
        warnings.filterwarnings("ignore", r"`torch\.jit\.", DeprecationWarning)
        scripted: Any = torch.jit.script(network.model)
    return torch_steps.learning(network, setup, scripted)
