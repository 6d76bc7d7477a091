"""What programs of ONNX and LiteRT hold, read when they are loaded: onnxruntime's after its own optimization."""

from __future__ import annotations

import ast
import importlib.util
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from workloads.operators.layers import WHOLE, Layers, Operator, in_order


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


def of_litert(interpreter: Any, layers: Layers) -> list[Operator]:
    """Of a program of LiteRT, by the names of the tensors that its operators give."""
    names = {each["index"]: each["name"] for each in interpreter.get_tensor_details()}
    found = [
        (layers.named_in(*(names.get(index, "") for index in each["outputs"])) or WHOLE, each["op_name"])
        for each in interpreter._get_ops_details()
        if each["op_name"]
        not in ("RESHAPE", "TRANSPOSE", "DELEGATE", "SPLIT", "STRIDED_SLICE", "CONCATENATION", "UNPACK")
    ]
    return in_order(found)
