"""The two architectures in TensorFlow, and how a stream drives one. Imports TensorFlow: for the child only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from workloads.architecture import REPLAY_TOLERANCE, Sizes, shapes
from workloads.lanes import columns
from workloads.protocol.contract import Clip, Setup
from workloads.tf_runtime import place
from workloads.weights import Weights, first_state, initial

Tensor = Any
"""TensorFlow ships no types that a checker can use."""


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


class Stem(tf.Module):  # type: ignore[misc]
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


class Recurrent(tf.Module):  # type: ignore[misc]
    """Stem, GRU over the frames, linear head. The state is the GRU's hidden vector of each lane."""

    def __init__(self, weights: Weights, sizes: Sizes) -> None:
        super().__init__()
        self.stem = Stem(weights)
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


class Layer(tf.Module):  # type: ignore[misc]
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


class VideoTransformer(tf.Module):  # type: ignore[misc]
    """Stem, transformer over a sliding window of frames, linear head. The state is each lane's window of features."""

    def __init__(self, weights: Weights, sizes: Sizes) -> None:
        super().__init__()
        self.window = sizes.window
        self.stem = Stem(weights)
        self.layers = [Layer(weights, f"layers.{i}", sizes.heads) for i in range(sizes.layers)]
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
        bias = tf.where((back < 0) | (back >= self.window), -np.inf, -tf.cast(back, tf.float32) / self.window)
        seen = tf.reshape(tokens, (-1, hidden))
        for layer in self.layers:
            seen = layer(seen, to(bias, seen.dtype))
        seen = tf.reshape(seen, (lanes, -1, hidden))[:, self.window :]
        new = tf.reshape(tf.transpose(seen, (1, 0, 2)), (-1, hidden))
        return self.head(self.norm(new)), tokens[:, -self.window :]


_MODELS: Mapping[str, Any] = {"recurrent": Recurrent, "transformer": VideoTransformer}


class Driven:
    """A model driven by a stream, its state carried from clip to clip. Satisfies `Model`."""

    def __init__(self, architecture: str, setup: Setup, sizes: Sizes, keep_graph: bool = False) -> None:
        self._place, self._dtype = place(setup.device), tf.as_dtype(sizes.precision)
        self._batch = sizes.batch
        self.replay_tolerance = REPLAY_TOLERANCE[sizes.precision]
        drawn = initial(setup.seed, shapes(architecture, setup.channels, sizes))
        weights = {name: value.astype(self._dtype.as_numpy_dtype) for name, value in drawn.items()}
        with self._place:
            self._model = _MODELS[architecture](weights, sizes)
            self._optimizer = tf.keras.optimizers.SGD(sizes.learning_rate, momentum=0.9)
            self._optimizer.build(self._model.trainable_variables)
            self._state = self._first = tf.constant(first_state(architecture, sizes), self._dtype)
            # What a replay runs: in training a copy, whose weights stay what they were at first.
            self._frozen = _MODELS[architecture](weights, sizes) if setup.mode == "train" else self._model
        graph = setup.execution == "graph"
        self._answer = tf.function(self._infer) if graph else self._infer
        learn = tf.function(self._learn) if graph else self._learn
        self._step = learn if setup.mode == "train" else self._answer
        self._traced: Any = self._step if graph else None
        # A tape that nobody closes holds every tensor that came after it.
        self._tape = tf.GradientTape(persistent=True) if keep_graph else None
        if self._tape is not None:
            self._tape.__enter__()
        self.output: Any = None

    def step(self, clip: Clip) -> float:
        """Run one clip; the loss when training, the mean of the output when inferring."""
        with self._place:
            self.output, self._state, value = self._step(tf.constant(clip.frames), self._state)
            return float(value)

    def _infer(self, frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # In inference, frozen and model are one.
        output, state = self._frozen(self._batched(tf.cast(frames, tf.float32) / 255.0), state)
        return output, state, tf.reduce_mean(to(output, tf.float32))

    def _batched(self, frames: Tensor) -> Tensor:
        """In the model's precision, once for each lane: shape (T · lanes, height, width, channels)."""
        frames = to(frames, self._dtype)
        if self._batch == 1:
            return frames
        count, height, width, channels = frames.shape
        lanes = tf.transpose(tf.gather(frames, columns(self._batch, width), axis=2), (0, 2, 1, 3, 4))
        return tf.reshape(lanes, (count * self._batch, height, width, channels))

    def _learn(self, frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        frames = tf.cast(frames, tf.float32) / 255.0
        with tf.GradientTape() as tape:
            output, state = self._model(self._batched(frames), state)
            # A shifted picture has the same mean colour: every lane is told the same.
            wanted = following(frames) if self._batch == 1 else tf.repeat(following(frames), self._batch, axis=0)
            loss = tf.reduce_mean(tf.math.squared_difference(to(output, tf.float32), wanted))
        variables = self._model.trainable_variables
        self._optimizer.apply(tape.gradient(loss, variables), variables)
        return output, state, loss

    def replay(self, clip: Clip) -> npt.NDArray[np.float32]:
        """Run the initial weights over a clip, from the first state. Returns shape (T · lanes, channels)."""
        unseen = self._tape.stop_recording() if self._tape is not None else contextlib.nullcontext()
        with self._place, unseen:
            answer, _, _ = self._answer(tf.constant(clip.frames), self._first)
            numbers: npt.NDArray[np.float32] = tf.cast(answer, tf.float32).numpy()
        return numbers

    def alter_head(self, change: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> None:
        """Replace the weights of the last layer by what `change` makes of them; shape (channels, hidden)."""
        kernel = self._model.head.kernel
        kernel.assign(tf.cast(change(tf.cast(kernel, tf.float32).numpy().T).T, kernel.dtype))

    def counters(self) -> Mapping[str, float]:
        """`traces`: graphs that were made so far; nothing when eager."""
        if self._traced is None:
            return {}
        return {"traces": float(self._traced.experimental_get_tracing_count())}

    def close(self) -> None:
        """Let go of the model."""
        self.output = None


def to(x: Tensor, dtype: Any) -> Tensor:
    """The same in another type of numbers; itself where it is of that type, which `tf.cast` takes longer to find."""
    return x if x.dtype == dtype else tf.cast(x, dtype)


def following(frames: Tensor) -> Tensor:
    """What a model learns to foretell: the next frame's mean colour, shape (T, channels); the last's is its own."""
    means = tf.reduce_mean(frames, axis=(1, 2))
    return tf.concat((means[1:], means[-1:]), axis=0)
