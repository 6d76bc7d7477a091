"""PyTorch → ONNX → TensorFlow by onnx2tf: the signature of a SavedModel for every new shape."""

from __future__ import annotations

import tempfile

from workloads.conversion import onnx_file, onnx_to_tensorflow, outside
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step, Tensor

NAME = "tensorflow"
AUTHORED_IN, EXECUTED_BY = "torch", "tensorflow"
REQUIRES = {**onnx_file.FROM_TORCH, **onnx_to_tensorflow.REQUIRES}
MODES = ("infer",)
TOPOLOGY = SINGLE
DEVICES = ("cpu",)
PRECISIONS = ("float32",)


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that call a signature; they count their `traces`, each of which is a conversion."""

    def converted(shape: tuple[int, ...], _: Tensor) -> onnx_to_tensorflow.SavedModelProgram:
        model = onnx_file.from_torch(network, shape, onnx_to_tensorflow.OPSET)
        with tempfile.TemporaryDirectory() as folder:
            onnx_to_tensorflow.saved_model_of(model, folder)
            return onnx_to_tensorflow.SavedModelProgram(folder)

    return outside.torch_steps(network, converted)
