"""The two architectures in TensorFlow, as a user of it would write them. Imports TensorFlow: for the child only."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from workloads.frameworks.tensorflow import place
from workloads.networks.architecture import NetworkSizes, shapes
from workloads.networks.lanes import columns
from workloads.networks.weights import Weights, first_state, initial
from workloads.protocol.contract import Clip, Setup

Tensor = Any
"""TensorFlow ships no types that a checker can use."""
MOMENTUM = 0.9
UNSEEN = -30.0
"""Added to the score of a frame that is not looked at: its weight, 1e-13, is nothing in float32. With infinity there is
no range of scores that int8 could divide."""


class Linear(tf.Module):  # type: ignore[misc]
    """A dense layer."""

    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        self.kernel = tf.Variable(weights[f"{name}.weight"].T)
        self.bias = tf.Variable(weights[f"{name}.bias"])

    def __call__(self, x: Tensor) -> Tensor:
        """x: shape (n, in). Returns shape (n, out)."""
        return tf.nn.bias_add(tf.matmul(x, self.kernel), self.bias)


class Norm(tf.Module):  # type: ignore[misc]
    """Layer normalisation."""

    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        self.scale = tf.Variable(weights[f"{name}.weight"])
        self.bias = tf.Variable(weights[f"{name}.bias"])

    def __call__(self, x: Tensor) -> Tensor:
        """x: shape (n, hidden)."""
        wide = to(x, tf.float32)
        mean, variance = tf.nn.moments(wide, axes=[-1], keepdims=True)
        scale, bias = to(self.scale, tf.float32), to(self.bias, tf.float32)
        return to(tf.nn.batch_normalization(wide, mean, variance, bias, scale, 1e-5), x.dtype)


class Conv(tf.Module):  # type: ignore[misc]
    """A 3×3 convolution of stride 2, with ReLU."""

    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        self.kernel = tf.Variable(np.transpose(weights[f"{name}.weight"], (2, 3, 1, 0)))
        self.bias = tf.Variable(weights[f"{name}.bias"])

    def __call__(self, x: Tensor) -> Tensor:
        """x: shape (n, height, width, in)."""
        return tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, self.kernel, 2, "VALID"), self.bias))


class TensorFlowStem(tf.Module):  # type: ignore[misc]
    """Frames to one vector of features each: two strided convolutions and the mean over the picture."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.conv1 = Conv(weights, "stem.conv1")
        self.conv2 = Conv(weights, "stem.conv2")
        self.project = Linear(weights, "stem.project")

    def __call__(self, frames: Tensor) -> Tensor:
        """frames: shape (n, height, width, channels), 0 to 1. Returns shape (n, hidden)."""
        features = to(self.conv2(self.conv1(frames)), tf.float32)
        return self.project(to(tf.reduce_mean(features, axis=(1, 2)), frames.dtype))


class TensorFlowRecurrent(tf.Module):  # type: ignore[misc]
    """Stem, GRU over the frames, linear head. The state is the GRU's hidden vector of each lane."""

    def __init__(self, weights: Weights, sizes: NetworkSizes) -> None:
        super().__init__()
        self.stem = TensorFlowStem(weights)
        self.input_kernel = tf.Variable(weights["gru.weight_ih_l0"].T)
        self.input_bias = tf.Variable(weights["gru.bias_ih_l0"])
        self.kernel = tf.Variable(weights["gru.weight_hh_l0"].T)
        self.bias = tf.Variable(weights["gru.bias_hh_l0"])
        self.head = Linear(weights, "head")

    def __call__(self, frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run one clip.

        Args:
            frames: shape (T · lanes, height, width, channels), the lanes of a frame side by side.
            state: shape (lanes, hidden).

        Returns:
            A prediction for each frame, shape (T · lanes, channels), and the state.
        """
        given = tf.nn.bias_add(tf.matmul(self.stem(frames), self.input_kernel), self.input_bias)
        hidden = []
        # A clip has few frames: unrolled, they cost a quarter of a loop in the graph, at one trace for each length.
        for now in tf.split(given, frames.shape[0] // state.shape[0]):
            reset_in, update_in, new_in = tf.split(now, 3, axis=1)
            reset, update, new = tf.split(tf.nn.bias_add(tf.matmul(state, self.kernel), self.bias), 3, axis=1)
            keep = tf.sigmoid(update_in + update)
            fresh = tf.tanh(new_in + tf.sigmoid(reset_in + reset) * new)
            state = fresh + keep * (state - fresh)
            hidden.append(state)
        return self.head(tf.concat(hidden, axis=0)), state


class TensorFlowLayer(tf.Module):  # type: ignore[misc]
    """One layer of a transformer encoder, norms first."""

    def __init__(self, weights: Weights, name: str, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = Norm(weights, f"{name}.norm1")
        self.attend = Linear(weights, f"{name}.attend")
        self.merge = Linear(weights, f"{name}.merge")
        self.norm2 = Norm(weights, f"{name}.norm2")
        self.widen = Linear(weights, f"{name}.widen")
        self.narrow = Linear(weights, f"{name}.narrow")

    def __call__(self, tokens: Tensor, bias: Tensor) -> Tensor:
        """tokens: shape (lanes · n, hidden). bias: shape (n, n), added to the scores."""
        count, hidden = bias.shape[0], tokens.shape[1]
        parts = tf.reshape(self.attend(self.norm1(tokens)), (-1, count, 3, self.heads, hidden // self.heads))
        query, key, value = tf.unstack(tf.transpose(parts, (2, 0, 3, 1, 4)))
        scores = tf.matmul(query, key, transpose_b=True) * (hidden // self.heads) ** -0.5 + bias
        seen = tf.transpose(tf.matmul(tf.nn.softmax(scores), value), (0, 2, 1, 3))
        tokens = tokens + self.merge(tf.reshape(seen, (-1, hidden)))
        return tokens + self.narrow(tf.nn.gelu(self.widen(self.norm2(tokens)), approximate=True))


class TensorFlowVideoTransformer(tf.Module):  # type: ignore[misc]
    """Stem, transformer over a sliding window of frames, linear head. The state is each lane's window of features."""

    def __init__(self, weights: Weights, sizes: NetworkSizes) -> None:
        super().__init__()
        self.window = sizes.window
        self.stem = TensorFlowStem(weights)
        self.layers = [TensorFlowLayer(weights, f"layers.{i}", sizes.heads) for i in range(sizes.layers)]
        self.norm = Norm(weights, "norm")
        self.head = Linear(weights, "head")

    def __call__(self, frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run one clip.

        Args:
            frames: shape (T · lanes, height, width, channels), the lanes of a frame side by side.
            state: shape (lanes, window, hidden).

        Returns:
            A prediction for each frame, shape (T · lanes, channels), and the state.
        """
        lanes, _, hidden = state.shape
        fresh = tf.transpose(tf.reshape(self.stem(frames), (-1, lanes, hidden)), (1, 0, 2))
        tokens = tf.concat((state, fresh), axis=1)
        place = tf.range(tokens.shape[1])
        back = place[:, None] - place[None, :]
        bias = tf.where((back < 0) | (back >= self.window), UNSEEN, -tf.cast(back, tf.float32) / self.window)
        seen = tf.reshape(tokens, (-1, hidden))
        for layer in self.layers:
            seen = layer(seen, to(bias, seen.dtype))
        seen = tf.reshape(seen, (lanes, -1, hidden))[:, self.window :]
        new = tf.reshape(tf.transpose(seen, (1, 0, 2)), (-1, hidden))
        return self.head(self.norm(new)), tokens[:, -self.window :]


_MODELS: Mapping[str, Any] = {"recurrent": TensorFlowRecurrent, "transformer": TensorFlowVideoTransformer}


class TensorFlowNetwork:
    """A model, its optimizer, and how clips reach it. Satisfies `Network`."""

    def __init__(self, architecture: str, setup: Setup, sizes: NetworkSizes, keep_graph: bool) -> None:
        self._place, self._dtype = place(setup.device), tf.as_dtype(sizes.precision)
        self._sizes, self._batch = sizes, sizes.batch
        self._trains = setup.mode == "train"
        self.keep_graph = keep_graph
        drawn = initial(setup.seed, shapes(architecture, setup.channels, sizes))
        weights = {name: value.astype(self._dtype.as_numpy_dtype) for name, value in drawn.items()}
        self.new_model: Callable[[], Any] = functools.partial(_MODELS[architecture], weights, sizes)
        """The model with variables of its own, of the first weights, made where it is called: in a graph, a scope."""
        with self._place:
            self.make_variables()
            self.first = tf.constant(first_state(architecture, sizes), self._dtype)
        # A tape that nobody closes holds every tensor that came after it.
        self._tape = tf.GradientTape(persistent=True) if keep_graph else None
        if self._tape is not None:
            self._tape.__enter__()

    def make_variables(self) -> None:
        """Model and optimizer, as at first. An execution calls it again where variables must be made in a scope."""
        self.model = self.new_model()
        self.optimizer = tf.keras.optimizers.SGD(self._sizes.learning_rate, momentum=MOMENTUM)
        self.optimizer.build(self.model.trainable_variables)
        # What a replay runs: in training a copy, whose weights stay what they were at first.
        self.frozen_model = self.new_model() if self._trains else self.model

    def tensor(self, clip: Clip) -> Tensor:
        """The frames on the device: shape (T, height, width, channels), uint8."""
        return tf.constant(clip.frames)

    def pictures(self, frames: Tensor) -> Tensor:
        """Shape (T, height, width, channels), 0 to 1."""
        return tf.cast(frames, tf.float32) / 255.0

    def forward(self, pictures: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run one clip."""
        return self.model(self.batched(pictures), state)  # type: ignore[no-any-return]

    def frozen(self, pictures: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run one clip with the weights of the beginning."""
        return self.frozen_model(self.batched(pictures), state)  # type: ignore[no-any-return]

    def batched(self, pictures: Tensor) -> Tensor:
        """In the model's precision, once for each lane: shape (T · lanes, height, width, channels)."""
        pictures = to(pictures, self._dtype)
        if self._batch == 1:
            return pictures
        count, height, width, channels = pictures.shape
        lanes = tf.transpose(tf.gather(pictures, columns(self._batch, width), axis=2), (0, 2, 1, 3, 4))
        return tf.reshape(lanes, (count * self._batch, height, width, channels))

    def mean(self, output: Tensor) -> Tensor:
        """Over all frames and lanes."""
        return tf.reduce_mean(to(output, tf.float32))

    def loss(self, output: Tensor, pictures: Tensor) -> Tensor:
        """Mean squared error against the following colour."""
        # A shifted picture has the same mean colour: every lane is told the same.
        lanes = output.shape[0] // pictures.shape[0]
        wanted = following(pictures) if lanes == 1 else tf.repeat(following(pictures), lanes, axis=0)
        return tf.reduce_mean(tf.math.squared_difference(to(output, tf.float32), wanted))

    def update(self, loss: Tensor, tape: Any = None) -> None:
        """One step of SGD; `tape` recorded the loss."""
        variables = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)

    def on_device(self) -> AbstractContextManager[Any]:
        """Operations inside run on the device."""
        return self._place  # type: ignore[no-any-return]

    def unrecorded(self) -> AbstractContextManager[Any]:
        """Where the tape that is never closed, if there is one, does not look."""
        return self._tape.stop_recording() if self._tape is not None else contextlib.nullcontext()

    def numbers(self, output: Tensor) -> npt.NDArray[np.float32]:
        """On the host."""
        numbers: npt.NDArray[np.float32] = tf.cast(output, tf.float32).numpy()
        return numbers

    def alter_head(self, change: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> None:
        """Replace the weights of the last layer by what `change` makes of them; shape (channels, hidden)."""
        kernel = self.model.head.kernel
        kernel.assign(tf.cast(change(tf.cast(kernel, tf.float32).numpy().T).T, kernel.dtype))


def to(x: Tensor, dtype: Any) -> Tensor:
    """The same in another type of numbers; itself where it is of that type, which `tf.cast` takes longer to find."""
    return x if x.dtype == dtype else tf.cast(x, dtype)


def following(pictures: Tensor) -> Tensor:
    """What a model learns to foretell: the next frame's mean colour, shape (T, channels); the last's is its own."""
    means = tf.reduce_mean(pictures, axis=(1, 2))
    return tf.concat((means[1:], means[-1:]), axis=0)


def build(architecture: str, setup: Setup, sizes: NetworkSizes, keep_graph: bool) -> TensorFlowNetwork:
    """The network of that architecture, with its initial weights."""
    return TensorFlowNetwork(architecture, setup, sizes, keep_graph)
