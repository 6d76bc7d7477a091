"""Published networks in TensorFlow, of Keras. Imports TensorFlow: for the child only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from workloads.frameworks.tensorflow import place
from workloads.networks.lanes import columns
from workloads.protocol.contract import Clip, Sequences, Setup

Tensor = Any
"""TensorFlow ships no types that a checker can use."""
_LEFT_OUT = 1e-12
"""Of the norms, as BERT has it."""


class _Stateless(tf.Module):  # type: ignore[misc]
    """A model of Keras through which a state passes: it has none."""

    def __init__(self, net: Any, trains: bool) -> None:
        super().__init__()
        self.net, self._trains = net, trains

    @property
    def trainable_variables(self) -> Sequence[Any]:
        return self.net.trainable_variables  # type: ignore[no-any-return]

    def __call__(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return self.net(inputs, training=self._trains), state


class _TensorFlowPublished:
    """A model, its optimizer, and how items reach it. Satisfies `Network` as far as executions of it go."""

    keep_graph = False

    def __init__(self, setup: Setup, net: Callable[[], Any], learning_rate: float) -> None:
        self._place, self._trains = place(setup.device), setup.mode == "train"
        self._net, self._rate = net, learning_rate
        with self._place:
            self.make_variables()
            self.first = tf.zeros((1, 1))

    def make_variables(self) -> None:
        """An execution calls it again where variables must be made in a scope."""
        self.model = _Stateless(self._net(), self._trains)
        self.frozen_model = self.model
        self.optimizer = tf.keras.optimizers.SGD(self._rate, momentum=0.9)
        self.optimizer.build(self.model.trainable_variables)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return self.model(self.batched(inputs), state)  # type: ignore[no-any-return]

    frozen = forward
    """It is asked for in inference alone: nothing replays these."""

    def batched(self, inputs: Tensor) -> Tensor:
        raise NotImplementedError

    def mean(self, output: Tensor) -> Tensor:
        return tf.reduce_mean(output)

    def update(self, loss: Tensor, tape: Any = None) -> None:
        variables = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)

    def on_device(self) -> AbstractContextManager[Any]:
        return self._place  # type: ignore[no-any-return]

    def numbers(self, output: Tensor) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = np.asarray(output, np.float32)
        return found


class _Pictures(_TensorFlowPublished):
    def __init__(self, setup: Setup, options: Any) -> None:
        self._batch, self._classes = options.batch, options.classes
        shape = (setup.stream["height"], setup.stream["width"], setup.channels)

        def net() -> Any:
            scores = {"weights": None, "classes": options.classes, "classifier_activation": None}
            return tf.keras.applications.ResNet50(input_shape=shape, **scores)

        super().__init__(setup, net, options.learning_rate)

    def tensor(self, clip: Clip) -> Tensor:
        return tf.constant(clip.frames)

    def pictures(self, frames: Tensor) -> Tensor:
        return tf.cast(frames, tf.float32) / 255.0

    def batched(self, inputs: Tensor) -> Tensor:
        if self._batch == 1:
            return inputs
        count, height, width, channels = inputs.shape
        lanes = tf.transpose(tf.gather(inputs, columns(self._batch, width), axis=2), (0, 2, 1, 3, 4))
        return tf.reshape(lanes, (count * self._batch, height, width, channels))

    def loss(self, output: Tensor, pictures: Tensor) -> Tensor:
        """Against how bright a picture is, in as many steps as there are classes."""
        wanted = tf.cast(tf.reduce_mean(pictures, axis=(1, 2, 3)) * (self._classes - 1), tf.int64)
        wanted = tf.repeat(wanted, self._batch)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, output))


class _Sentences(_TensorFlowPublished):
    def __init__(self, setup: Setup, options: Any) -> None:
        self._vocabulary, self._every = int(setup.stream["vocabulary"]), options.mask_every
        super().__init__(setup, lambda: _encoder(self._vocabulary, options), options.learning_rate)

    def tensor(self, item: Sequences) -> Tensor:
        return tf.constant(item.tokens)

    def pictures(self, tokens: Tensor) -> Tensor:
        return tokens

    def batched(self, inputs: Tensor) -> Tensor:
        masked = tf.range(inputs.shape[1]) % self._every == 0
        return tf.where(masked[None, :], self._vocabulary, inputs)

    def loss(self, output: Tensor, tokens: Tensor) -> Tensor:
        wanted = tf.reshape(tokens[:, :: self._every], (-1,))
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, output))


def _encoder(vocabulary: int, options: Any) -> Any:
    """An encoder of the shape of BERT, with scores of the masked tokens alone, shape (n, vocabulary)."""
    layers, hidden = tf.keras.layers, options.hidden

    def norm(x: Tensor) -> Tensor:
        return layers.LayerNormalization(epsilon=_LEFT_OUT)(x)

    tokens = tf.keras.Input((None,), dtype="int32")
    # The place of each token, as a lookup in a model of Keras must come from its input.
    at = layers.Lambda(lambda x: tf.range(tf.shape(x)[1])[None, :])(tokens)
    seen = norm(layers.Embedding(vocabulary + 1, hidden)(tokens) + layers.Embedding(options.context, hidden)(at))
    for _ in range(options.layers):
        seen = norm(seen + layers.MultiHeadAttention(options.heads, hidden // options.heads)(seen, seen))
        seen = norm(seen + layers.Dense(hidden)(layers.Dense(4 * hidden, activation="gelu")(seen)))
    masked = layers.Lambda(lambda x: tf.reshape(x[:, :: options.mask_every], (-1, hidden)))(seen)
    return tf.keras.Model(tokens, layers.Dense(vocabulary)(masked))


BUILDERS: Mapping[str, Callable[[Setup, Any], _TensorFlowPublished]] = {"resnet50": _Pictures, "bert": _Sentences}
