"""PyTorch with `torch.compile` and TorchInductor: compiled when a shape first comes; needs a C++ compiler.

Of the recurrent model that is the stem alone: PyTorch does not compile its GRU (unless the setting `allow_rnn` of
TorchDynamo, which it calls experimental, is on), nor the function that calls it. The GRU and the head run eagerly. The
transformer is compiled whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workloads import frameworks
from workloads.conversion import torch_steps
from workloads.conversion.exported import library_warnings_ignored
from workloads.conversion.kept import compiler
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Step

NAME = "compile"
AUTHORED_IN = EXECUTED_BY = "torch"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("train", "infer")
PRECISIONS = ("float32",)
TOPOLOGY = SINGLE


def make_step(network: Any, setup: Setup) -> Step:
    """Steps that call the compiled model, with all settings as PyTorch has them; they count their `traces`.

    The first shape is compiled for itself, the second for every size. What was compiled is kept in the cache folder of
    TorchInductor (`TORCHINDUCTOR_CACHE_DIR`).
    """
    import torch

    if setup.device == "cpu":
        compiler()
    with library_warnings_ignored():
        compiled = torch.compile(network.model)
    return torch_steps.learning(network, setup, compiled, _traces)


def _traces() -> Mapping[str, float]:
    """Graphs that were compiled in this process."""
    from torch._dynamo.utils import counters

    return {"traces": float(counters["stats"]["unique_graphs"])}
