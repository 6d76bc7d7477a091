"""A network of TensorFlow as a graph model of TensorFlow.js, and Node.js as the child that runs it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from workloads import frameworks
from workloads.conversion import outside, saved_model
from workloads.protocol.contract import Setup
from workloads.protocol.execution import Network, Step

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from workloads.conversion.child import Child

    Array = npt.NDArray[np.float32]

REQUIRES = {
    **frameworks.load("tensorflow").REQUIRES,
    **frameworks.load("tfjs").REQUIRES,
    "tensorflow_hub": "tensorflow-hub",
    "tf_keras": "tf-keras",
    "pkg_resources": "setuptools<81",
}
OLDEST_NODE = 18
_SCRIPTS = Path(__file__).parent / "tfjs"
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1"}
_STUB = "tensorflow_decision_forests.py"
"""The converter imports this at its start, for models of another kind, from a package that wants other versions."""
_CONVERT = "import sys; from tensorflowjs.converters import converter; converter.convert(sys.argv[1:])"


class TensorFlowJsError(Exception):
    """A model that cannot be converted, or Node.js that cannot run it; the message says why and what to do."""


def missing() -> str:
    """What there is not of what runs TensorFlow.js, with what to do; empty where all of it is there."""
    node = shutil.which("node")
    if node is None:
        return f"Node.js, {OLDEST_NODE} or newer, is not installed: `node` is not found"
    version = frameworks.load("tfjs").node_version()
    if (major := re.match(r"v(\d+)\.", version)) is None or int(major[1]) < OLDEST_NODE:
        return f"{node} is {version or 'none that answers'}: expected Node.js {OLDEST_NODE} or newer"
    if not frameworks.load("tfjs").packages().is_dir():
        return f"TensorFlow.js is not in {frameworks.load('tfjs').packages()}: run `soak env tfjs`"
    return ""


def convert(saved: Path | str, folder: Path | str) -> None:
    """A SavedModel's signature `serving_default` as a graph model.

    Args:
        saved: the folder of the SavedModel.
        folder: where to write; made if it is not there.

    Raises:
        TensorFlowJsError: the converter failed.
    """
    with tempfile.TemporaryDirectory() as stubs:
        Path(stubs, _STUB).touch()
        path = os.pathsep.join(filter(None, (stubs, os.environ.get("PYTHONPATH"))))
        command = [sys.executable, "-c", _CONVERT, "--input_format=tf_saved_model", "--signature_name=serving_default",
                   "--output_format=tfjs_graph_model", str(saved), str(folder)]  # fmt: skip
        environ = {**os.environ, **_QUIET, "PYTHONPATH": path}
        # In a process of its own: a converter keeps much of what it imported and made.
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    if ran.returncode:
        print(ran.stdout, ran.stderr, file=sys.stderr)  # noqa: T201  (for the log of the worker)
        said = (ran.stderr.strip() or ran.stdout.strip()).splitlines()[-1:]
        raise TensorFlowJsError(f"the converter failed with exit status {ran.returncode}: {''.join(said)}")


def started(script: str, *words: str) -> Child:
    """Node.js, running one of our scripts.

    Args:
        script: its name, without `.js`.
        words: its arguments after the folder of packages.

    Raises:
        TensorFlowJsError: Node.js or the packages are not there.
        ChildError: it failed before it was ready.
    """
    from workloads.conversion.child import Child

    if lacks := missing():
        raise TensorFlowJsError(lacks)
    packages = str(frameworks.load("tfjs").packages())
    command = ["node", "--expose-gc", str(_SCRIPTS / f"{script}.js"), packages, *words]
    return Child(command, f"TensorFlow.js ({script})")


class TensorFlowJsProgram:
    """A graph model that was loaded: (pictures, state) → (output, state), all of them NumPy's float32."""

    def __init__(self, folder: Path | str, backend: str, threads: int = 1) -> None:
        self._child = started("model", str(folder), backend, str(threads))

    def __call__(self, pictures: Array, state: Array) -> tuple[Array, Array]:
        """Run one clip. Shapes are those that it was converted for."""
        output, after = self._child(pictures, state)
        return output, after

    def collect(self) -> int:
        """Collect the garbage of JavaScript; how many tensors it holds then, between two clips."""
        (count,) = self._child()
        return int(count[0])


def make_step(network: Network, setup: Setup, backend: str) -> Step:
    """Steps that Node.js runs, a child for each shape; they count their `traces`, each of which is a conversion."""

    def converted(shape: tuple[int, ...]) -> TensorFlowJsProgram:
        with tempfile.TemporaryDirectory() as folder:
            saved, made = Path(folder, "saved"), Path(folder, "made")
            saved_model.save(network, shape, saved)
            convert(saved, made)
            return TensorFlowJsProgram(made, backend, setup.threads)

    # A probe collects garbage in every process that it can ask.
    return outside.tensorflow_steps(network, converted, TensorFlowJsProgram.collect)
