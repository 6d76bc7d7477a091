"""PyTorch → ONNX → TensorFlow by onnx2tf → LiteRT (TensorFlow Lite) in float32: a program for every new shape."""

from __future__ import annotations

import contextlib
import tempfile
from contextlib import AbstractContextManager

from workloads import frameworks
from workloads.conversion import litert, onnx_file, onnx_to_tensorflow, outside
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step, Tensor

NAME = "tensorflow_litert"
AUTHORED_IN, EXECUTED_BY = "torch", "litert"
REQUIRES = {**onnx_file.FROM_TORCH, **onnx_to_tensorflow.REQUIRES, **frameworks.load(EXECUTED_BY).REQUIRES}
MODES = ("infer",)
TOPOLOGY = SINGLE
DEVICES = ("cpu",)
PRECISIONS = ("float32",)


def scope(setup: Setup) -> AbstractContextManager[None]:
    """TensorFlow, which the way there leads through, is made ready too: its threads are those of the trial."""
    frameworks.load("tensorflow").prepare(setup.threads, setup.seed)
    return contextlib.nullcontext()


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that a program of LiteRT runs; they count their `traces`, each of which is a conversion."""

    def converted(shape: tuple[int, ...], _: Tensor) -> litert.Program:
        model = onnx_file.from_torch(network, shape, onnx_to_tensorflow.OPSET)
        with tempfile.TemporaryDirectory() as folder:
            onnx_to_tensorflow.saved_model_of(model, folder)
            return litert.Program(litert.from_saved_model(folder, "float32"), setup.threads)

    return outside.torch_steps(network, converted)
