"""PyTorch → ONNX → TensorFlow by onnx2tf → LiteRT in int8, ranges from the stream: a program for every shape."""

from __future__ import annotations

import tempfile
from typing import Any

from workloads.conversion import litert, onnx_file, onnx_to_tensorflow, outside, torch_to_int8
from workloads.executions import tensorflow_litert_int8, torch_tensorflow_litert
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step

NAME = "tensorflow_litert_int8"
AUTHORED_IN, EXECUTED_BY = "torch", "litert"
REQUIRES = torch_tensorflow_litert.REQUIRES
MODES = ("infer",)
TOPOLOGY = SINGLE
DEVICES = ("cpu",)
PRECISIONS = ("float32",)
TOLERANCE, STEP = tensorflow_litert_int8.TOLERANCE, tensorflow_litert_int8.STEP
scope = torch_tensorflow_litert.scope


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that a program of LiteRT runs; they count their `traces`, each of which is a conversion."""

    def converted(shape: tuple[int, ...], frames: Any) -> litert.Program:
        model = onnx_file.from_torch(network, shape, onnx_to_tensorflow.OPSET)
        with tempfile.TemporaryDirectory() as folder:
            onnx_to_tensorflow.saved_model_of(model, folder)
            exact = litert.Program(litert.from_saved_model(folder, "float32"), setup.threads)
            examples = torch_to_int8.examples(network, setup, frames.numpy(), exact)
            return litert.Program(litert.from_saved_model(folder, "int8", examples), setup.threads)

    return outside.torch_steps(network, converted)
