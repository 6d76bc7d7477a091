"""A SavedModel as a program of LiteRT (TensorFlow Lite), in float32, float16 or int8, and what runs it."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloads import frameworks
from workloads.conversion import calibration, saved_model
from workloads.conversion.by_shape import ByShape, Shape
from workloads.conversion.saved_model import SIGNATURE
from workloads.protocol.contract import Setup
from workloads.protocol.execution import Network, Step, Tensor

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

REQUIRES = {**frameworks.load("tensorflow").REQUIRES, **frameworks.load("litert").REQUIRES}
KINDS = ("float32", "float16", "int8")


def from_saved_model(folder: Path | str, kind: str, examples: Iterable[tuple[Array, Array]] = ()) -> bytes:
    """Convert the signature `serving_default` of a SavedModel.

    Args:
        folder: the SavedModel.
        kind: float32; float16, for weights of half the size that are widened when the program is loaded; int8, for
            weights and arithmetic in whole numbers, with inputs and outputs in float32.
        examples: of int8: pictures and a state each. From them the converter learns the range of every tensor.

    Returns:
        The program, as a file of LiteRT holds it.

    Raises:
        ValueError: an unknown kind.
    """
    import tensorflow as tf

    if kind not in KINDS:
        raise ValueError(f"kind = {kind!r}: expected {' or '.join(KINDS)}")
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=[SIGNATURE])
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int8":

        def named() -> Iterator[dict[str, Array]]:
            for pictures, state in examples:
                yield {"pictures": pictures, "state": state}

        converter.representative_dataset = named
    with warnings.catch_warnings():
        # The converter learns ranges with the interpreter that came before LiteRT's own.
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated", UserWarning)
        converted: bytes = converter.convert()
    return converted


class Program:
    """A program of LiteRT that is loaded: (pictures, state) → (output, state), all of them NumPy's float32."""

    def __init__(self, model: bytes, threads: int = 1) -> None:
        from ai_edge_litert.interpreter import Interpreter

        # A runner of a signature does not keep the interpreter that it belongs to.
        self._interpreter: Any = Interpreter(model_content=model, num_threads=threads)
        self._run = self._interpreter.get_signature_runner(SIGNATURE)

    def __call__(self, pictures: Array, state: Array) -> tuple[Array, Array]:
        """Run one clip. Shapes are those that it was converted for."""
        answer = self._run(pictures=pictures, state=state)
        return answer["output"], answer["state"]


def make_step(network: Network, setup: Setup, kind: str) -> Step:
    """Steps of inference that a program of LiteRT runs, one for each shape of clips; they count their `traces`."""
    came: Any = None
    first = network.first.numpy()
    sizes = saved_model.Sizes()

    def converted(shape: Shape) -> Program:
        with tempfile.TemporaryDirectory() as folder:
            saved_model.save(network, shape, folder)
            program = from_saved_model(folder, "float32")
            if kind != "float32":
                exact = Program(program, setup.threads)
                examples = calibration.examples(setup, shape, came, first, exact) if kind == "int8" else ()
                program = from_saved_model(folder, kind, examples)
        sizes.add(f"a program of LiteRT in {kind}", shape, len(program))
        return Program(program, setup.threads)

    programs = ByShape(converted)

    def run(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        nonlocal came
        came = frames.numpy()
        pictures = network.pictures(frames).numpy()
        output, state = programs(came.shape)(pictures, _array(state))
        return output, state, output.mean()

    return Step(run, run, programs.counters, programs.forget, notes=sizes.notes)


def _array(state: Any) -> Array:
    """The first state of a stream is a tensor."""
    array: Array = state.numpy() if hasattr(state, "numpy") else state
    return array
