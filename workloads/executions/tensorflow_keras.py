"""TensorFlow by Keras: `fit` or `predict` is called for each clip.

As a user does who learns from what comes in. Each call makes iterators and callbacks of its own: `keras_batch` does not.
"""

from __future__ import annotations

from typing import Any

from workloads import frameworks
from workloads.conversion import keras_model
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step

NAME = "keras"
AUTHORED_IN = EXECUTED_BY = "tensorflow"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("train", "infer")
TOPOLOGY = SINGLE
PRECISIONS = ("float32",)
"""That of the data which Keras hands over."""


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that are calls of a model of Keras; they count their `traces`, a model for each shape."""

    def learn(model: Any, batch: Any) -> Any:
        history = model.fit(batch, batch_size=1, shuffle=False, verbose=0).history
        return history[keras_model.LOSS][0]

    def predict(model: Any, batch: Any) -> Any:
        return model.predict(batch, batch_size=1, verbose=0)

    return keras_model.make_step(network, setup, learn, predict)
