"""The committed map of operators is what really runs, for the executions that are quickly read."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import Any

import pytest

from benchmarks import operators
from tests.installed import need
from workloads import executions
from workloads.operators import recorded

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

CHEAP = [("torch", "eager"), ("tensorflow", "eager"), ("tensorflow", "graph")]
KNOWN = {(one["framework"], one["execution"]): one for one in json.loads(operators.FACTS.read_text())["executions"]}


@pytest.mark.parametrize("architecture", operators.ARCHITECTURES)
@pytest.mark.parametrize(("framework", "execution"), CHEAP)
def test_the_map_is_current(architecture: str, framework: str, execution: str) -> None:
    known = KNOWN[framework, execution]
    for module, version in known["versions"].items():
        if sys.modules[module].__version__.partition("+")[0] != version.partition("+")[0]:
            pytest.skip(f"the map is of {module} {version}")
    found = [list(one) for one in recorded.operators(architecture, framework, execution)]
    assert found == known["operators"][architecture], "run: python -m benchmarks.operators"


def test_a_graph_is_read_after_its_optimization_and_eager_mode_before() -> None:
    eager, graph = (recorded.operators("recurrent", "tensorflow", name) for name in ("eager", "graph"))
    assert [name for layer, name in eager if layer == "stem.conv1"] == ["Conv2D", "BiasAdd", "Relu"]
    (first,) = (name for layer, name in graph if layer == "stem.conv1")
    # With oneDNN, which is there by default, the node is rewritten for it last of all.
    assert first in ("_MklNativeFusedConv2D", "_FusedConv2D")
    (session,) = (
        name for layer, name in recorded.operators("recurrent", "tensorflow", "session") if layer == "stem.conv1"
    )
    assert session == first


def test_an_execution_may_tell_its_operators_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def told(network: Any, setup: Any, shape: Any) -> list[tuple[str, str]]:
        asked.append((type(network).__name__, setup.execution, shape))
        return [("head", "mine")]

    monkeypatch.setattr(executions.find("torch", "eager"), "operators", told, raising=False)
    assert recorded.operators("recurrent", "torch", "eager") == [("head", "mine")]
    assert asked == [("TorchNetwork", "eager", recorded.SHAPE)]


@pytest.mark.parametrize("architecture", operators.ARCHITECTURES)
def test_a_program_of_onnx_is_told_by_the_layers_of_its_exporter(architecture: str) -> None:
    if "onnx" not in executions.of("torch"):
        pytest.skip("no such execution")
    need(*executions.find("torch", "onnx").REQUIRES)
    found = recorded.operators(architecture, "torch", "onnx")
    assert ("head", "Gemm") in found
    assert ("gru", "GRU") in found or ("norm", "LayerNormalization") in found


def test_what_is_compiled_is_told_with_what_runs_eagerly_beside_it() -> None:
    """PyTorch compiles no GRU, and of the function that calls one only the modules that it calls."""
    need("torch")
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        pytest.skip("there is no C++ compiler")
    found = recorded.operators("recurrent", "torch", "compile")
    eager = recorded.operators("recurrent", "torch", "eager")
    assert [name for layer, name in found if layer == "stem.conv1"] == ["aten.convolution", "aten.relu"]
    for layer in ("stem.mean", "stem.project", "gru", "head"):
        assert [each for each in found if each[0] == layer] == [each for each in eager if each[0] == layer]


def test_a_module_that_is_being_called_is_known_by_its_path() -> None:
    need("torch")
    import torch

    from workloads.operators.torch_programs import being_called

    seen: list[str | None] = []

    class Leaf(torch.nn.Module):
        def forward(self, value: Any) -> Any:
            seen.append(being_called())
            return value

    model = torch.nn.Sequential(torch.nn.Sequential(Leaf()), Leaf())
    model(torch.ones(1))
    assert seen == ["0.0", "1"]
    assert being_called() is None


def test_ranks_are_read_as_one() -> None:
    need("torch")
    found = operators.entry("torch", "ddp")
    assert found["operators"] == KNOWN["torch", "eager"]["operators"]
