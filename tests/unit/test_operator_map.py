"""Layers are told from calls and nodes, and the page of operators tells what its JSON says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from benchmarks import matrix_config, operators
from workloads import executions
from workloads.operators.converted_programs import of_litert, of_tfjs
from workloads.operators.layers import WHOLE, Layers, in_order

FACTS = json.loads(operators.FACTS.read_text())


def test_the_page_is_made_of_the_json() -> None:
    assert operators.PAGE.read_text() == operators.page(FACTS), "run: python -m benchmarks.operators"
    assert operators.FACTS.read_text() == operators.written(FACTS)


def test_every_execution_that_comes_with_soak_is_in_the_map_with_its_tolerance() -> None:
    known = {(one["framework"], one["execution"]): one for one in FACTS["executions"]}
    for framework, name, _ in matrix_config.shipped():
        assert (framework, name) in known, f"run: python -m benchmarks.operators --execution {framework}/{name}"
        assert known[framework, name]["tolerance"] == executions.tolerance_of(executions.find(framework, name))


@pytest.mark.parametrize("architecture", operators.ARCHITECTURES)
@pytest.mark.parametrize("one", FACTS["executions"], ids=lambda one: f"{one['framework']}-{one['execution']}")
def test_each_execution_has_the_parts_of_the_model_and_its_two_convolutions(
    one: dict[str, Any], architecture: str
) -> None:
    if executions.find(one["framework"], one["execution"]).TOPOLOGY.roles:
        assert "other processes" in one["problem"]
        return
    found = one["operators"][architecture]
    layers, convolutions = {layer for layer, _ in found}, [name for _, name in found if "conv" in name.lower()]
    assert len(convolutions) >= 2
    own = {"recurrent": "gru", "transformer": "layers.1.attention"}[architecture]
    if layers - {"", WHOLE}:
        assert {"stem.conv1", "stem.conv2", "stem.project", own, "head"} <= layers


def test_a_package_is_of_the_same_operators_whatever_loads_it() -> None:
    """One that was taken from a cache would tell those of before its compilation."""
    of = {one["execution"]: one["operators"] for one in FACTS["executions"] if one["framework"] == "torch"
          and one["execution"].startswith("aotinductor")}  # fmt: skip
    assert of["aotinductor"] == of["aotinductor_cpp"]


def test_a_graph_model_of_tensorflow_js_is_told_by_the_scopes_of_its_nodes() -> None:
    layers = known_layers("stem.conv1", "head")
    nodes = [("StatefulPartitionedCall/head/add", "_FusedMatMul"), ("pictures", "Placeholder"), ("unknown", "Mul"),
             ("StatefulPartitionedCall/stem/conv1/Relu", "_FusedConv2D")]  # fmt: skip
    model = {"modelTopology": {"node": [{"name": name, "op": kind} for name, kind in nodes]}}
    assert of_tfjs(model, layers) == [("", "Mul"), ("stem.conv1", "_FusedConv2D"), ("head", "_FusedMatMul")]
    assert of_tfjs(model, Layers("recurrent")) == [
        (WHOLE, "_FusedMatMul"), (WHOLE, "Mul"), (WHOLE, "_FusedConv2D"),
    ]  # fmt: skip


def known_layers(*names: str) -> Layers:
    layers = Layers("recurrent")
    for name in names:
        with layers.within(name):
            layers.label()
    return layers


class Interpreter:
    """Of LiteRT, as far as it is asked. steps: operator, tensors taken, tensors given."""

    def __init__(self, names: Sequence[str], steps: Sequence[tuple[str, list[int], list[int]]]) -> None:
        self._names, self._steps = names, steps

    def get_tensor_details(self) -> list[dict[str, Any]]:
        return [{"index": index, "name": name} for index, name in enumerate(self._names)]

    def _get_ops_details(self) -> list[dict[str, Any]]:
        return [{"op_name": name, "inputs": taken, "outputs": given} for name, taken, given in self._steps]

    def get_signature_runner(self) -> Any:
        return self

    def get_output_details(self) -> dict[str, Any]:
        return {"output": {"index": 7}, "state": {"index": 4}}


def test_an_operator_of_litert_without_a_name_belongs_to_what_takes_what_it_gives() -> None:
    names = ["pictures", "tfl.quantize", "stem/conv1/Relu", "gru/add", "call:1", "pack", "call:01", "call:0"]
    steps = [("QUANTIZE", [0], [1]), ("CONV_2D", [1], [2]), ("ADD", [2], [3]), ("LOGISTIC", [3], [4]),
             ("RESHAPE", [4], [5]), ("FULLY_CONNECTED", [5], [6]), ("DEQUANTIZE", [6], [7])]  # fmt: skip
    assert of_litert(Interpreter(names, steps), known_layers("stem.conv1", "gru")) == [
        ("stem.conv1", "QUANTIZE"), ("stem.conv1", "CONV_2D"), ("gru", "ADD"), ("gru", "LOGISTIC"),
        ("head", "FULLY_CONNECTED"), ("head", "DEQUANTIZE"),
    ]  # fmt: skip


def test_of_a_program_of_litert_whose_names_say_nothing_the_whole_is_told() -> None:
    found = of_litert(Interpreter(["a", "b"], [("CONV_2D", [0], [1])]), known_layers("stem.conv1"))
    assert found == [(WHOLE, "CONV_2D")]


def test_a_process_alone_is_the_only_rank_and_the_only_worker() -> None:
    told = operators.alone()
    assert (told["RANK"], told["WORLD_SIZE"]) == ("0", "1")
    cluster = json.loads(told["TF_CONFIG"])
    assert cluster["task"] == {"type": "worker", "index": 0}
    (worker,) = cluster["cluster"]["worker"]
    assert worker != f"{told['MASTER_ADDR']}:{told['MASTER_PORT']}"


def test_a_call_belongs_to_the_innermost_module_and_else_to_what_its_caller_does() -> None:
    layers = Layers("transformer")
    assert layers.label("div") == ""
    with layers.within(""):
        assert layers.label("cat") == "window"
        with layers.within("stem"):
            with layers.within("stem.conv1"):
                assert layers.label("conv") == "stem.conv1"
            assert layers.label("relu") == "stem.conv1"
            with layers.within("stem.conv2"):
                pass
            assert layers.label("Relu") == "stem.conv2"
            assert layers.label("mean") == "stem.mean"
        with layers.within("layers.1"):
            with layers.within("layers.1.attend"):
                pass
            assert layers.label("softmax") == "layers.1.attention"
            with layers.within("layers.1.widen"):
                pass
            assert layers.label("gelu") == "layers.1.gelu"
        assert layers.label("slice") == "window"
    assert layers.named_in("model/layers.1/attention/Softmax") == "layers.1.attention"
    assert layers.named_in("x;stem/conv1/Relu") == "stem.conv1"
    assert layers.named_in("stem/conv10/Relu") == ""


def test_nodes_of_a_graph_are_placed_by_those_before_them() -> None:
    layers = Layers("recurrent")
    nodes = [
        ("stem.conv1", "conv"), ("stem", "relu"), ("stem.conv2", "conv"), ("stem", "relu"), ("stem", "mean"),
        ("stem.project", "linear"), ("gru", "gru"), ("", "reshape"), ("head", "linear"),
    ]  # fmt: skip
    assert [layers.placed(*node) for node in nodes] == [
        "stem.conv1", "stem.conv1", "stem.conv2", "stem.conv2", "stem.mean", "stem.project", "gru", "gru", "head",
    ]  # fmt: skip
    deeper = Layers("transformer")
    assert deeper.placed("layers.0.widen", "linear") == "layers.0.widen"
    assert deeper.placed("layers.0", "gelu") == "layers.0.gelu"
    assert deeper.placed("layers.1", "cat") == "layers.1"


def test_layers_are_in_the_order_of_the_model() -> None:
    found = [(WHOLE, "z"), ("head", "a"), ("layers.1.attend", "b"), ("layers.0.gelu", "c"), ("stem.conv2", "d"),
             ("", "e"), ("stem.conv1", "f"), ("layers.0.norm1", "g")]  # fmt: skip
    assert "".join(name for _, name in in_order(found)) == "efdgcbaz"


def test_equal_layers_are_told_once_and_operators_counted() -> None:
    same = [(f"layers.{n}.attend", "addmm") for n in (0, 1)]
    assert operators.by_layer([*same, ("head", "a"), ("head", "b"), ("head", "a"), ("", "c")]) == {
        "layers.N.attend": "addmm", "head": "a ×2, b",
    }  # fmt: skip
    other = operators.by_layer([("layers.0.gelu", "gelu"), ("layers.1.gelu", "tanh")])
    assert other == {"layers.0.gelu": "gelu", "layers.1.gelu": "tanh"}
