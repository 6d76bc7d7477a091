"""TensorFlow by Keras: `train_on_batch` or `predict_on_batch` is called for each clip."""

from __future__ import annotations

from typing import Any

from workloads import frameworks
from workloads.conversion import keras_model
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step

NAME = "keras_batch"
AUTHORED_IN = EXECUTED_BY = "tensorflow"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("train", "infer")
TOPOLOGY = SINGLE
PRECISIONS = ("float32",)
"""That of the data which Keras hands over."""


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that are calls of a model of Keras; they count their `traces`, a model for each shape."""

    def learn(model: Any, batch: Any) -> Any:
        return model.train_on_batch(batch, return_dict=True)[keras_model.LOSS]

    def predict(model: Any, batch: Any) -> Any:
        return model.predict_on_batch(batch)

    return keras_model.make_step(network, setup, learn, predict)
