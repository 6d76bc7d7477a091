"""A SavedModel of TensorFlow, loaded anew, whose signature is called: a file for every new shape."""

from __future__ import annotations

import tempfile
from typing import Any

from workloads import frameworks
from workloads.conversion import saved_model
from workloads.conversion.by_shape import ByShape, Shape
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step, Tensor

NAME = "saved_model"
AUTHORED_IN = EXECUTED_BY = "tensorflow"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("infer",)
TOPOLOGY = SINGLE


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that call the signature of a loaded SavedModel; they count their `traces`, each of which is a file."""

    sizes = saved_model.Sizes()

    def loaded(shape: Shape) -> Any:
        import tensorflow as tf

        with tempfile.TemporaryDirectory() as folder:
            saved_model.save(network, shape, folder)
            sizes.add("a SavedModel", shape, saved_model.size_of(folder))
            return tf.saved_model.load(folder).signatures[saved_model.SIGNATURE]

    signatures = ByShape(loaded)

    def run(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        answer = signatures(tuple(frames.shape))(pictures=network.pictures(frames), state=state)
        return answer["output"], answer["state"], network.mean(answer["output"])

    return Step(run, run, signatures.counters, signatures.forget, notes=sizes.notes)
