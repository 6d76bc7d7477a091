"""Published networks in TensorFlow. Imports TensorFlow: for the child only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from workloads.frameworks.tensorflow import place
from workloads.networks.authored.tensorflow import Linear, Norm
from workloads.networks.lanes import columns
from workloads.networks.weights import Weights, initial
from workloads.protocol.contract import Clip, Sequences, Setup
from workloads.published import shapes

Tensor = Any
"""TensorFlow ships no types that a checker can use."""


class TensorFlowBertLayer(tf.Module):  # type: ignore[misc]
    """One layer of the encoder, with the norm after each part."""

    def __init__(self, weights: Weights, name: str, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attend, self.merge = Linear(weights, f"{name}.attend"), Linear(weights, f"{name}.merge")
        self.widen, self.narrow = Linear(weights, f"{name}.widen"), Linear(weights, f"{name}.narrow")
        self.norm1, self.norm2 = Norm(weights, f"{name}.norm1"), Norm(weights, f"{name}.norm2")

    def __call__(self, tokens: Tensor, length: int) -> Tensor:
        """tokens: shape (batch · length, hidden)."""
        hidden = tokens.shape[1]
        parts = tf.reshape(self.attend(tokens), (-1, length, 3, self.heads, hidden // self.heads))
        query, key, value = tf.unstack(tf.transpose(parts, (2, 0, 3, 1, 4)))
        scores = tf.matmul(query, key, transpose_b=True) * (hidden // self.heads) ** -0.5
        seen = tf.transpose(tf.matmul(tf.nn.softmax(scores), value), (0, 2, 1, 3))
        tokens = self.norm1(tokens + self.merge(tf.reshape(seen, (-1, hidden))))
        return self.norm2(tokens + self.narrow(tf.nn.gelu(self.widen(tokens), approximate=True)))


class TensorFlowBert(tf.Module):  # type: ignore[misc]
    """An encoder of the shape of BERT, with scores of the masked tokens alone."""

    def __init__(self, weights: Weights, options: Any) -> None:
        super().__init__()
        self.every, self.hidden = options.mask_every, options.hidden
        self.embed, self.places = tf.Variable(weights["embed.weight"]), tf.Variable(weights["places.weight"])
        self.norm = Norm(weights, "norm")
        self.layers = [TensorFlowBertLayer(weights, f"layers.{i}", options.heads) for i in range(options.layers)]
        self.head = Linear(weights, "head")

    def __call__(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """tokens: shape (batch, length). Returns scores of every masked token, shape (n, vocabulary), and the state."""
        length = tokens.shape[1]
        seen = tf.gather(self.embed, tokens) + self.places[:length]
        seen = self.norm(tf.reshape(seen, (-1, self.hidden)))
        for layer in self.layers:
            seen = layer(seen, length)
        masked = tf.reshape(seen, (-1, length, self.hidden))[:, :: self.every]
        return self.head(tf.reshape(masked, (-1, self.hidden))), state


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

    def __init__(self, setup: Setup, new_model: Callable[[], Any], learning_rate: float) -> None:
        self._place = place(setup.device)
        self._new_model, self._rate = new_model, learning_rate
        with self._place:
            self.make_variables()
            self.first = tf.zeros((1, 1))

    def make_variables(self) -> None:
        """An execution calls it again where variables must be made in a scope."""
        self.model = self._new_model()
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
        # Those of an embedding come as the rows that were looked up; in PyTorch they are whole.
        gradients = [tf.convert_to_tensor(each) for each in tape.gradient(loss, variables)]
        self.optimizer.apply(gradients, variables)

    def on_device(self) -> AbstractContextManager[Any]:
        return self._place  # type: ignore[no-any-return]

    def numbers(self, output: Tensor) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = np.asarray(output, np.float32)
        return found


class _Pictures(_TensorFlowPublished):
    def __init__(self, setup: Setup, options: Any) -> None:
        self._batch, self._classes = options.batch, options.classes

        def new() -> Any:
            # With its own last layer Keras takes pictures of one size alone, and none below 32×32; streams have more.
            body = tf.keras.applications.ResNet50(
                include_top=False, weights=None, pooling="avg", input_shape=(None, None, setup.channels)
            )
            whole = tf.keras.Model(body.input, tf.keras.layers.Dense(options.classes)(body.output))
            return _Stateless(whole, setup.mode == "train")

        super().__init__(setup, new, options.learning_rate)

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
        self._context = options.context
        weights = initial(setup.seed, shapes.bert(options, self._vocabulary))
        super().__init__(setup, lambda: TensorFlowBert(weights, options), options.learning_rate)

    def tensor(self, item: Sequences) -> Tensor:
        return tf.constant(shapes.within(self._context, item.tokens))

    def pictures(self, tokens: Tensor) -> Tensor:
        return tokens

    def batched(self, inputs: Tensor) -> Tensor:
        masked = tf.range(inputs.shape[1]) % self._every == 0
        return tf.where(masked[None, :], self._vocabulary, inputs)

    def loss(self, output: Tensor, tokens: Tensor) -> Tensor:
        wanted = tf.reshape(tokens[:, :: self._every], (-1,))
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, output))


BUILDERS: Mapping[str, Callable[[Setup, Any], _TensorFlowPublished]] = {"resnet50": _Pictures, "bert": _Sentences}
