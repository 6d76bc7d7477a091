"""Layers are told from calls and nodes, and the page of operators tells what its JSON says."""

from __future__ import annotations

import json

from benchmarks import matrix_config, operators
from workloads import executions
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
