"""The recurrent model in TensorFlow, as it is served. Imports TensorFlow: for the server's process only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from workloads import networks
from workloads.protocol.contract import Setup
from workloads.serving.options import CLIP, NAME, PREDICTION, STATE, ServedModel

SIGNATURE = "serving_default"
Predict = Callable[[Any, Any], tuple[Any, Any]]


class ServedRecurrent(tf.Module):  # type: ignore[misc]
    """One graph for clips of any length and size, as a signature of a SavedModel needs it."""

    def __init__(self, options: ServedModel, version: int = 1) -> None:
        super().__init__()
        setup = Setup(NAME, "tensorflow", "infer", "graph", options.seed + version - 1, options.channels)
        self.model = networks.load("tensorflow").build(NAME, setup, options.sizes(), False).model
        clip = tf.TensorSpec((None, None, None, options.channels), tf.uint8, CLIP)
        state = tf.TensorSpec((1, options.hidden), tf.float32, STATE)
        self.predict = tf.function(self._predict, input_signature=(clip, state))
        self.traced = tf.function(self._predict)
        """The same, traced again for every new shape."""

    def _predict(self, clip: Any, state: Any) -> dict[str, Any]:
        model = self.model
        features = model.stem(tf.cast(clip, tf.float32) / 255.0)
        given = tf.nn.bias_add(tf.matmul(features, model.input_kernel), model.input_bias)
        # The authored model is unrolled for the length of its clip; here the length is not known.
        hidden = tf.scan(self._step, given, state)[:, 0]
        return {PREDICTION: model.head(hidden), STATE: hidden[-1:]}

    def _step(self, state: Any, now: Any) -> Any:
        """One frame of a GRU. state: shape (1, hidden). now: shape (3 · hidden,)."""
        reset_in, update_in, new_in = tf.split(now[None], 3, axis=1)
        recurrent = tf.nn.bias_add(tf.matmul(state, self.model.kernel), self.model.bias)
        reset, update, new = tf.split(recurrent, 3, axis=1)
        keep = tf.sigmoid(update_in + update)
        fresh = tf.tanh(new_in + tf.sigmoid(reset_in + reset) * new)
        return fresh + keep * (state - fresh)


def hold_threads(threads: int) -> None:
    """Before anything is computed."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def load(options: ServedModel, retrace: bool = False) -> Predict:
    """The model as a function from arrays to arrays. retrace: make a graph for every new shape."""
    hold_threads(options.threads)
    served = ServedRecurrent(options)
    run = served.traced if retrace else served.predict

    def predict(clip: Any, state: Any) -> tuple[Any, Any]:
        found = run(tf.constant(clip), tf.constant(state))
        return found[PREDICTION].numpy(), found[STATE].numpy()

    return predict


def export(options: ServedModel, version: int, folder: Path) -> Path:
    """Write that version as a SavedModel into a folder of its number."""
    served = ServedRecurrent(options, version)
    place = folder / str(version)
    tf.saved_model.save(served, str(place), signatures={SIGNATURE: served.predict})
    return place
