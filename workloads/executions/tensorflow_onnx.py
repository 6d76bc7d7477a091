"""TensorFlow → ONNX by tf2onnx, run by onnxruntime: a file for every new shape."""

from __future__ import annotations

from workloads.conversion import onnx_file, outside
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step

NAME = "onnx"
AUTHORED_IN, EXECUTED_BY = "tensorflow", "onnxruntime"
REQUIRES = {**onnx_file.FROM_TENSORFLOW, **onnx_file.RUN}
MODES = ("infer",)
TOPOLOGY = SINGLE
DEVICES = ("cpu",)
PRECISIONS = ("float32",)
OPSET = 18
"""The newest that tf2onnx knows."""


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that a session runs; they count their `traces`, each of which is an export."""

    def exported(shape: tuple[int, ...]) -> onnx_file.OnnxProgram:
        return onnx_file.OnnxProgram(onnx_file.from_tensorflow(network, shape, OPSET), setup.threads)

    return outside.tensorflow_steps(network, exported)
