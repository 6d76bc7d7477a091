"""The voice-activity model of silero-vad in TensorFlow, with the weights that its package ships, as a SavedModel.

No package is known that ships a model of TensorFlow with its weights; these are those of the package's ONNX file.
Imports TensorFlow: for the child only.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import onnx
import tensorflow as tf
from onnx import numpy_helper

CONTEXT, CHUNK, FEATURES = 64, 512, 128
"""Samples of the chunk before that are given again, of a chunk, and of each of the two vectors of the state."""
_STRIDES = (1, 2, 2, 1)
_PREFIX = "If_0_then_branch__Inline_0__"
"""Of the weights for a rate of 16000, in the file of the package; the others are for 8000."""


class VoiceActivity(tf.Module):  # type: ignore[misc]
    """Magnitudes of a short-time Fourier transform, four convolutions, a cell of an LSTM, one output."""

    def __init__(self) -> None:
        super().__init__()
        # PyTorch, in whose layout they are, has (out, in, place) where TensorFlow has (place, in, out).
        self._weights = {
            name: tf.Variable(value.transpose(2, 1, 0) if value.ndim == 3 else value.T, name=name.replace(".", "_"))
            for name, value in _weights()
        }

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec((1, CONTEXT + CHUNK), tf.float32, "sound"),
            tf.TensorSpec((2, 1, FEATURES), tf.float32, "state"),
        ]
    )
    def __call__(self, sound: Any, state: Any) -> dict[str, Any]:
        """The probability of speech, shape (1, 1), and the state, shape (2, 1, 128)."""
        weights = self._weights
        padded = tf.pad(sound, [[0, 0], [0, 64]], "REFLECT")[:, :, None]
        both = tf.nn.conv1d(padded, weights["stft.forward_basis_buffer"], 128, "VALID")
        real, imaginary = both[..., : FEATURES + 1], both[..., FEATURES + 1 :]
        seen = tf.sqrt(real * real + imaginary * imaginary)
        for number, stride in enumerate(_STRIDES):
            padded = tf.pad(seen, [[0, 0], [1, 1], [0, 0]])
            convolved = tf.nn.conv1d(padded, weights[f"encoder.{number}.reparam_conv.weight"], stride, "VALID")
            seen = tf.nn.relu(convolved + weights[f"encoder.{number}.reparam_conv.bias"])
        hidden, cell = self._lstm(seen[:, 0], state[0], state[1])
        scores = (
            tf.matmul(tf.nn.relu(hidden), weights["decoder.decoder.2.weight"][0]) + weights["decoder.decoder.2.bias"]
        )
        return {"probability": tf.sigmoid(scores), "state": tf.stack([hidden, cell])}

    def _lstm(self, given: Any, hidden: Any, cell: Any) -> tuple[Any, Any]:
        weights = self._weights
        gates = tf.matmul(given, weights["decoder.rnn.weight_ih"]) + weights["decoder.rnn.bias_ih"]
        gates += tf.matmul(hidden, weights["decoder.rnn.weight_hh"]) + weights["decoder.rnn.bias_hh"]
        let_in, forget, new, out = tf.split(gates, 4, 1)
        cell = tf.sigmoid(forget) * cell + tf.sigmoid(let_in) * tf.tanh(new)
        return tf.sigmoid(out) * tf.tanh(cell), cell


def _weights() -> Iterator[tuple[str, Any]]:
    """Name and values, in the layout of PyTorch."""
    text = (files("silero_vad") / "data" / "silero_vad.onnx").read_bytes()
    (branch,) = (
        each.g
        for node in onnx.load_from_string(text).graph.node
        for each in node.attribute
        if each.name == "then_branch"
    )
    given = [(node.output[0], node.attribute[0].t) for node in branch.node if node.op_type == "Constant"]
    for name, value in (*given, *((each.name, each) for each in branch.initializer)):
        named = name.removeprefix(_PREFIX)
        # What has no name of its own is no weight.
        if "/" not in named and value.data_type == onnx.TensorProto.FLOAT:
            yield named, numpy_helper.to_array(value)


def save(folder: Path) -> None:
    """Write the SavedModel; its signature `serving_default` takes `sound` and `state`."""
    model = VoiceActivity()
    tf.saved_model.save(model, str(folder), signatures=model.__call__)
