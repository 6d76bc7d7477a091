"""PyTorch → ONNX by TorchScript (deprecated), in operator set 11, run by onnxruntime: a file for each shape."""

from __future__ import annotations

from workloads.conversion import onnx_file, outside
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step, Tensor

NAME = "onnx_opset11"
AUTHORED_IN, EXECUTED_BY = "torch", "onnxruntime"
REQUIRES = {**onnx_file.FROM_TORCH, **onnx_file.RUN}
MODES = ("infer",)
TOPOLOGY = SINGLE
DEVICES = ("cpu",)
PRECISIONS = ("float32",)


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that a session runs; they count their `traces`, each of which is an export."""

    def exported(shape: tuple[int, ...], _: Tensor) -> onnx_file.OnnxProgram:
        return onnx_file.OnnxProgram(onnx_file.from_torch_traced(network, shape, 11), setup.threads)

    return outside.torch_steps(network, exported)
