"""The language model in TensorFlow. Imports tensorflow: for the child only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from workloads.language import DecoderSizes, mask, places

Tensor = Any


class TensorFlowDecoder:
    """A decoder over a cache of keys and values, which it carries from call to call."""

    def __init__(self, weights: Mapping[str, npt.NDArray[np.float32]], sizes: DecoderSizes, device: str) -> None:
        self._sizes, self._device = sizes, "/GPU:0" if device == "cuda" else "/CPU:0"
        with tf.device(self._device):
            self._weights = {name: tf.constant(value) for name, value in weights.items()}
            self._places = tf.constant(places(sizes))
        self._cache: list[tuple[Tensor, Tensor]] = []
        self._seen = 0

    @property
    def cached(self) -> int:
        """Tokens of a sequence that the cache holds."""
        return int(self._cache[0][0].shape[2]) if self._cache else 0

    def run(self, tokens: npt.NDArray[np.int32]) -> Tensor:
        """The scores of the token after the last one, shape (batch, vocabulary). tokens: shape (batch, n)."""
        count = tokens.shape[1]
        with tf.device(self._device):
            place = (tf.range(count) + self._seen % self._sizes.context) % self._sizes.context
            embed = self._weights["embed.weight"]
            features = tf.gather(embed, tf.constant(tokens)) + tf.gather(self._places, place)
            bias = tf.constant(mask(self.cached, count, self._sizes.context))
            kept = []
            for layer in range(self._sizes.layers):
                features, pair = self._layer(layer, features, bias)
                kept.append(pair)
            self._cache = kept
            self._seen += count
            return tf.matmul(features[:, -1], embed, transpose_b=True)

    def mean(self, scores: Tensor) -> float:
        """Of all scores."""
        return float(tf.reduce_mean(scores))

    def _layer(self, layer: int, features: Tensor, bias: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        batch, count, hidden = features.shape
        heads, context = self._sizes.heads, self._sizes.context
        parts = self._through(self._norm(layer, "norm1", features), layer, "attend.weight")
        parts = tf.transpose(tf.reshape(parts, (batch, count, 3, heads, hidden // heads)), (2, 0, 3, 1, 4))
        query, key, value = parts[0], parts[1], parts[2]
        if self._cache:
            key = tf.concat((self._cache[layer][0], key), axis=2)
            value = tf.concat((self._cache[layer][1], value), axis=2)
        scores = tf.matmul(query, key, transpose_b=True) / (hidden // heads) ** 0.5 + bias
        seen = tf.transpose(tf.matmul(tf.nn.softmax(scores), value), (0, 2, 1, 3))
        features = features + self._through(tf.reshape(seen, (batch, count, hidden)), layer, "merge.weight")
        wide = tf.nn.relu(self._through(self._norm(layer, "norm2", features), layer, "widen.weight"))
        features = features + self._through(wide, layer, "narrow.weight")
        return features, (key[:, :, -context:], value[:, :, -context:])

    def _through(self, features: Tensor, layer: int, name: str) -> Tensor:
        return tf.matmul(features, self._of(layer, name), transpose_b=True)

    def _norm(self, layer: int, name: str, features: Tensor) -> Tensor:
        mean, variance = tf.nn.moments(features, axes=-1, keepdims=True)
        scale, bias = self._of(layer, f"{name}.weight"), self._of(layer, f"{name}.bias")
        return tf.nn.batch_normalization(features, mean, variance, bias, scale, 1e-5)

    def _of(self, layer: int, name: str) -> Tensor:
        return self._weights[f"{layer}.{name}"]


DECODER = TensorFlowDecoder
