"""PyTorch → LiteRT (TensorFlow Lite) by litert-torch, in float32: a program for every new shape."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from workloads import frameworks
from workloads.conversion import outside
from workloads.conversion.exporters import expected_warnings
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step, Tensor

NAME = "litert"
AUTHORED_IN, EXECUTED_BY = "torch", "litert"
REQUIRES = {
    **frameworks.load(AUTHORED_IN).REQUIRES,
    **frameworks.load(EXECUTED_BY).REQUIRES,
    "litert_torch": "litert-torch",
}
MODES = ("infer",)
TOPOLOGY = SINGLE
DEVICES = ("cpu",)
PRECISIONS = ("float32",)


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that a program of LiteRT runs; they count their `traces`, each of which is a conversion."""

    def converted(shape: tuple[int, ...], _: Tensor) -> outside.OutsideProgram:
        return NumberedLiteRt(litert_of(network, shape), setup.threads)

    return outside.torch_steps(network, converted)


class NumberedLiteRt:
    """A program whose inputs and outputs have numbers for names: (pictures, state) → (output, state)."""

    def __init__(self, model: bytes, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        # A runner of a signature does not keep the interpreter that it belongs to.
        self._interpreter: Any = Interpreter(model_content=model, num_threads=threads)
        self._run = self._interpreter.get_signature_runner()

    def __call__(self, pictures: Any, state: Any) -> tuple[Any, Any]:
        """Run one clip. Shapes are those that it was converted for."""
        answer = self._run(args_0=pictures, args_1=state)
        return answer["output_0"], answer["output_1"]


def litert_of(network: Any, shape: tuple[int, ...]) -> bytes:
    """A network of PyTorch, with the weights that it has now, as a file of LiteRT holds it.

    Args:
        network: of PyTorch, in float32.
        shape: of what its model takes, with its lanes: (n, channels, height, width).
    """
    import torch

    # It lowers operators through JAX, which would look for other devices.
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import litert_torch

    given = (torch.zeros(shape), network.first)
    with torch.no_grad(), expected_warnings(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        litert_torch.convert(network.model.eval(), given).export(str(path))
        return path.read_bytes()
