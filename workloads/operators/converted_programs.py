"""What programs of ONNX, LiteRT and TensorFlow.js hold, read as they are loaded: ONNX after its optimization."""

from __future__ import annotations

import ast
import importlib.util
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from workloads.conversion import tensorflow_js
from workloads.conversion.saved_model import OUTPUTS
from workloads.operators.layers import WHOLE, Layers, Operator, in_order, place
from workloads.operators.tensorflow_nodes import of_model

_MOVES = {
    "RESHAPE", "TRANSPOSE", "DELEGATE", "SPLIT", "STRIDED_SLICE", "CONCATENATION", "UNPACK",
}  # fmt: skip
"""Operators of LiteRT that compute nothing."""


class ConvertedReader:
    """Reads the program that is loaded last."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self._found: list[Operator] = []
        self._loaded: list[Any] = []

    @contextmanager
    def building(self) -> Iterator[None]:
        """Around all in which programs are loaded."""
        with ExitStack() as stack:
            stack.enter_context(_around(tensorflow_js.TensorFlowJsProgram, self._graph_model))
            if importlib.util.find_spec("onnxruntime") is not None:
                import onnxruntime

                stack.enter_context(_around(onnxruntime.InferenceSession, self._session))
            if importlib.util.find_spec("ai_edge_litert") is not None:
                from ai_edge_litert import interpreter

                stack.enter_context(_around(interpreter.Interpreter, self._interpreter))
            yield

    def built(self) -> None:
        """Network and step are made."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around a further answer, of which nothing more is learned."""
        yield

    def answered(self, answer: Any, frames: Any, state: Any) -> None:
        """What was run to answer, and with what."""

    def found(self) -> list[Operator]:
        """Of the last program; empty where there was none."""
        return self._found

    def _session(self, made: Any, session: Any, model: bytes, options: Any = None, *args: Any, **more: Any) -> None:
        import onnx
        import onnxruntime

        with tempfile.TemporaryDirectory() as folder:
            options = options or onnxruntime.SessionOptions()
            options.log_severity_level = 3  # it warns that the file is for this processor alone
            options.optimized_model_filepath = str(Path(folder, "optimized.onnx"))
            made(session, model, options, *args, **more)
            optimized = onnx.load(options.optimized_model_filepath)
        self._found = of_onnx(onnx.load_from_string(model), optimized, self._layers)

    def _graph_model(self, made: Any, program: Any, folder: Path | str, *args: Any, **more: Any) -> None:
        made(program, folder, *args, **more)
        self._found = of_tfjs(json.loads(Path(folder, "model.json").read_text()), self._layers)

    def _interpreter(self, made: Any, interpreter: Any, *args: Any, **more: Any) -> None:
        made(interpreter, *args, **more)
        self._found = of_litert(interpreter, self._layers)


@contextmanager
def _around(kind: Any, read: Any) -> Iterator[None]:
    made = kind.__init__
    kind.__init__ = lambda self, *args, **more: read(made, self, *args, **more)
    try:
        yield
    finally:
        kind.__init__ = made


def of_onnx(model: Any, optimized: Any, layers: Layers) -> list[Operator]:
    """Of a model after optimization. A fused node's layer is that of what gave its outputs before.

    A convolution for another order in memory gives an output of its own: its layer is that of the node which turns that
    back.
    """
    of = {name: _onnx_layer(node, layers) for node in model.graph.node for name in node.output}
    for node in optimized.graph.node:
        if node.op_type == "ReorderOutput":
            of[node.input[0]] = of.get(node.output[0], WHOLE)
    found = []
    for node in optimized.graph.node:
        if node.op_type in ("Constant", "Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Cast"):
            continue
        layer = next((of[name] for name in node.output if name in of), WHOLE)
        found.append((layer, node.op_type if not node.domain else f"{node.domain}.{node.op_type}"))
    return found


def _onnx_layer(node: Any, layers: Layers) -> str:
    """By the modules that the exporter of PyTorch tells, or by the scopes in its name."""
    told = {each.key: each.value for each in node.metadata_props}
    if "pkg.torch.onnx.name_scopes" in told:
        *scopes, _ = ast.literal_eval(told["pkg.torch.onnx.name_scopes"]) or [""]
        return layers.placed(scopes[-1] if scopes else "", node.op_type)
    if (known := layers.named_in(node.name)) or not node.name.startswith("/"):
        return known or WHOLE
    # The tracing exporter: /stem/conv1/Conv, /layers.0/attend/Gemm.
    return layers.placed(node.name.strip("/").rpartition("/")[0].replace("/", "."), node.op_type)


def of_tfjs(model: Mapping[str, Any], layers: Layers) -> list[Operator]:
    """Of a graph model of TensorFlow.js, which runs its nodes as they are. model: its `model.json`."""
    return of_model([[(node["name"], node["op"]) for node in model["modelTopology"]["node"]]], layers)


def of_litert(interpreter: Any, layers: Layers) -> list[Operator]:
    """Of a program of LiteRT, by the names of the tensors that its operators give.

    One without a name belongs to the layer that gives an output of the model, or to the first that takes what it gives.
    """
    names = {each["index"]: each["name"] for each in interpreter.get_tensor_details()}
    steps = interpreter._get_ops_details()
    told = [layers.named_in(*(names.get(index, "") for index in each["outputs"])) for each in steps]
    if any(told):
        takers = _given(interpreter, layers)
        for at, each in reversed(list(enumerate(steps))):
            known = [takers[index] for index in each["outputs"] if index in takers]
            told[at] = told[at] or min(known, key=place, default="")
            for index in each["inputs"] if told[at] else ():
                takers[index] = min(told[at], takers.get(index, told[at]), key=place)
    return in_order(
        (layer or WHOLE, each["op_name"])
        for layer, each in zip(told, steps, strict=True)
        if each["op_name"] not in _MOVES
    )


def _given(interpreter: Any, layers: Layers) -> dict[int, str]:
    """Tensors that a model of ours gives, and the layers that they are from."""
    found = interpreter.get_signature_runner().get_output_details()
    return {
        found[name]["index"]: layer for name, layer in zip(OUTPUTS, ("head", layers.own), strict=True) if name in found
    }
