"""An ONNX file as a SavedModel of TensorFlow, by onnx2tf."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloads import frameworks
from workloads.conversion.saved_model import INPUTS, OUTPUTS, SIGNATURE

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

REQUIRES = {
    **frameworks.load("tensorflow").REQUIRES,
    "onnx2tf": "onnx2tf",
    "onnx_graphsurgeon": "onnx-graphsurgeon",
    "sng4onnx": "sng4onnx",
    "tf_keras": "tf-keras",
}
OPSET = 18
"""The operator set that is converted: what it knows of newer ones varies from operator to operator."""
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1"}


class ConversionError(Exception):
    """A converter that failed; the message has the last line that it printed."""


def saved_model_of(model: bytes, folder: Path | str) -> None:
    """Write the SavedModel of a model of ONNX whose inputs and outputs are those of `workloads.conversion.onnx_file`.

    Its signature `serving_default` has the names of `workloads.conversion.saved_model`. What goes in keeps the order
    of dimensions that it has in PyTorch.

    Args:
        model: as a file of ONNX holds it.
        folder: where to write; made if it is not there.

    Raises:
        ConversionError: onnx2tf failed.
    """
    with tempfile.TemporaryDirectory() as work:
        given, made = Path(work, "model.onnx"), Path(work, "converted")
        given.write_bytes(model)
        # Strict mode stays: without it attention is converted into something that answers otherwise, without a word.
        _run(["onnx2tf", "-i", str(given), "-o", str(made), "-kat", *INPUTS, "-osd", "-eru", "-n"])
        _rename(made, folder)


class SavedModelProgram:
    """A SavedModel that was loaded: (pictures, state) → (output, state), all of them NumPy's float32."""

    def __init__(self, folder: Path | str) -> None:
        import tensorflow as tf

        self._constant = tf.constant
        # A signature does not keep the model that it belongs to.
        self._model: Any = tf.saved_model.load(str(folder))
        self._run = self._model.signatures[SIGNATURE]

    def __call__(self, pictures: Array, state: Array) -> tuple[Array, Array]:
        """Run one clip. Shapes are those that it was saved for."""
        answer = self._run(pictures=self._constant(pictures), state=self._constant(state))
        return answer[OUTPUTS[0]].numpy(), answer[OUTPUTS[1]].numpy()


def _run(module: list[str]) -> None:
    """In a process of its own: a converter keeps much of what it imported and made."""
    command = [sys.executable, "-m", *module]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **_QUIET})
    if ran.returncode:
        lines = (ran.stderr.strip() or ran.stdout.strip()).splitlines()
        print(ran.stdout, ran.stderr, file=sys.stderr)  # noqa: T201  (for the log of the worker)
        raise ConversionError(f"{module[0]} failed with exit status {ran.returncode}: {lines[-1] if lines else ''}")


def _rename(converted: Path, folder: Path | str) -> None:
    """Save it again by our names: the converter numbers the outputs."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(converted))
    run = loaded.signatures[SIGNATURE]
    specs = run.structured_input_signature[1]

    def infer(pictures: Any, state: Any) -> dict[str, Any]:
        answer = run(pictures=pictures, state=state)
        return {name: answer[f"output_{place}"] for place, name in enumerate(OUTPUTS)}

    served = tf.Module()
    served.model = loaded  # what is saved is found from here
    given = [tf.TensorSpec(specs[name].shape, specs[name].dtype, name) for name in INPUTS]
    tf.saved_model.save(served, str(folder), {SIGNATURE: tf.function(infer, input_signature=given)})
