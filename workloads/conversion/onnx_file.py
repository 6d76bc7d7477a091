"""Networks as ONNX files, by the exporters of either framework, and what runs them with onnxruntime."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloads import frameworks
from workloads.conversion.by_shape import Shape
from workloads.conversion.exporters import expected_warnings
from workloads.conversion.saved_model import INPUTS, OUTPUTS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

RUN = frameworks.load("onnxruntime").REQUIRES
FROM_TORCH = {**frameworks.load("torch").REQUIRES, "onnx": "onnx", "onnxscript": "onnxscript"}
FROM_TENSORFLOW = {**frameworks.load("tensorflow").REQUIRES, "onnx": "onnx", "tf2onnx": "tf2onnx"}
NEWEST = 24
"""The newest operator set that both exporter and onnxruntime of the versions in our pins take for both models."""
GIVEN = (OUTPUTS[0], "next_state")
"""Names of what comes out: in one graph of ONNX nothing is called as something else is."""


_UNSEEN = -30.0


class OpsetError(Exception):
    """An exporter wrote another operator set than it was asked for; the message names both."""


def from_torch(network: Any, shape: Shape, opset: int) -> bytes:
    """A network of PyTorch, with the weights that it has now, by the exporter that goes through `torch.export`.

    Args:
        network: of PyTorch, in float32.
        shape: of what its model takes, with its lanes: (n, channels, height, width).
        opset: the operator set of ONNX.

    Raises:
        OpsetError: the exporter wrote another one. It does so for all below 18, with no more than a line in its log.
    """
    import torch

    given = (torch.zeros(shape), network.first)
    with expected_warnings(), torch.no_grad():
        exported = torch.export.export(network.model.eval(), given).run_decompositions(_decompositions())
        program: Any = torch.onnx.export(exported, given, dynamo=True, verbose=False, opset_version=opset,
                                         input_names=INPUTS, output_names=GIVEN)  # fmt: skip
    model = program.model_proto
    _check(model, opset)
    written: bytes = model.SerializeToString()
    return written


def from_torch_traced(network: Any, shape: Shape, opset: int) -> bytes:
    """The same by the exporter that traces the model into TorchScript, which is deprecated; arguments as `from_torch`.

    Raises:
        OpsetError: it wrote another operator set.
    """
    import onnx
    import torch

    given = (torch.zeros(shape), network.first)
    with tempfile.TemporaryDirectory() as folder, expected_warnings(), _attention_by_its_parts(opset):
        path = Path(folder, "model.onnx")
        torch.onnx.export(network.model.eval(), given, str(path), dynamo=False, opset_version=opset,
                          input_names=INPUTS, output_names=GIVEN)  # fmt: skip
        written = path.read_bytes()
    _check(onnx.load_from_string(written), opset)
    return written


def from_tensorflow(network: Any, shape: Shape, opset: int) -> bytes:
    """A network of TensorFlow, with the weights that it has now, by tf2onnx.

    Args:
        network: of TensorFlow, in float32.
        shape: of a clip: (T, height, width, channels).
        opset: the operator set of ONNX; tf2onnx 1.17 knows those up to 18.

    Raises:
        OpsetError: it wrote another one.
    """
    import tensorflow as tf
    import tf2onnx

    def infer(pictures: Any, state: Any) -> dict[str, Any]:
        return dict(zip(GIVEN, network.forward(pictures, state), strict=True))

    first = network.first
    signature = (tf.TensorSpec(shape, tf.float32, INPUTS[0]), tf.TensorSpec(first.shape, first.dtype, INPUTS[1]))
    model, _ = tf2onnx.convert.from_function(tf.function(infer), signature, opset=opset)
    _check(model, opset)
    written: bytes = model.SerializeToString()
    return written


class OnnxProgram:
    """A session of onnxruntime on the processor: (pictures, state) → (output, state), all of them NumPy's float32."""

    def __init__(self, model: bytes, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])

    def __call__(self, pictures: Array, state: Array) -> tuple[Array, Array]:
        """Run one clip. Shapes are those that it was exported for."""
        output, after = self._session.run(GIVEN, dict(zip(INPUTS, (pictures, state), strict=True)))
        return output, after


def opset_of(model: Any) -> int:
    """The operator set of ONNX itself that a model uses, of those that it names."""
    return next(int(each.version) for each in model.opset_import if each.domain in ("", "ai.onnx"))


def _check(model: Any, asked: int) -> None:
    if (found := opset_of(model)) != asked:
        raise OpsetError(f"the exporter was asked for operator set {asked} of ONNX and wrote {found}")


def _decompositions() -> dict[Any, Any]:
    """What the exporter translates for some shapes only, in terms of what it translates for all.

    Attention wants a dimension of lanes, and a squeeze of a dimension that is longer than 1, which does nothing,
    becomes one that onnxruntime refuses.
    """
    import torch

    aten = torch.ops.aten
    return {aten.scaled_dot_product_attention.default: _attention, aten.squeeze.dim: _squeezed}


def _attention(
    query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False, *,
    scale: float | None = None, enable_gqa: bool = False,
) -> Any:  # fmt: skip
    """Attention as its definition has it; the models give it a mask and no more."""
    import torch

    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if attn_mask is not None:
        # The weight of what is not looked at, 1e-13, is nothing in float32; int8 can divide no range that is infinite.
        scores = scores + attn_mask.clamp(min=_UNSEEN)
    return torch.softmax(scores, -1) @ value


def _squeezed(x: Any, dim: int) -> Any:
    shape = list(x.shape)
    if shape[dim] == 1:
        del shape[dim]
    return x.reshape(shape)


@contextlib.contextmanager
def _attention_by_its_parts(opset: int) -> Iterator[None]:
    """Within, the tracing exporter knows attention in operator sets from before 14, where it has no translation."""
    import torch.onnx

    onnx: Any = torch.onnx  # these two are documented, and not said to be exported
    name = "aten::scaled_dot_product_attention"
    onnx.register_custom_op_symbolic(name, _attention_in_onnx, opset)
    try:
        yield
    finally:
        onnx.unregister_custom_op_symbolic(name, opset)


def _attention_in_onnx(graph: Any, query: Any, key: Any, value: Any, mask: Any, *rest: Any) -> Any:
    import torch

    sizes = query.type().sizes()
    last = len(sizes) - 1
    turned = graph.op("Transpose", key, perm_i=[*range(last - 1), last, last - 1])
    scale = graph.op("Constant", value_t=torch.tensor(sizes[-1] ** -0.5))
    scores = graph.op("Add", graph.op("Mul", graph.op("MatMul", query, turned), scale), mask)
    return graph.op("MatMul", graph.op("Softmax", scores, axis_i=last), value)
