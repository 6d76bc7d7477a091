"""The committed map of operators is what really runs, for the executions that are quickly read."""

from __future__ import annotations

import json
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
    assert [name for layer, name in graph if layer == "stem.conv1"] == ["_FusedConv2D"]


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
