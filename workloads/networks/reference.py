"""The two architectures in NumPy alone, in float64: what executions and servers must answer.

Plain and slow, and written from what the architectures are, not from the code of a framework. A prediction depends on
its own frame and those before it, and on its own lane: so of a large model a few frames of two lanes are computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from workloads.networks.architecture import NetworkSizes, shapes
from workloads.networks.lanes import columns
from workloads.networks.weights import first_state, initial
from workloads.protocol.contract import Clip, Frames, KnownAnswer

Array: TypeAlias = npt.NDArray[np.float64]
MOST = 2e7
"""Products that are computed, some tens of milliseconds; but for one frame at least, whatever it takes."""
_EPSILON = 1e-5
"""Of a norm."""


@dataclass(frozen=True, slots=True)
class ReferenceAnswer:
    """What a network answers."""

    values: Array
    """The predictions, shape (T · lanes, channels), the lanes of a frame side by side."""
    state: Array
    """After the last frame, as the first one is: shape (lanes, hidden) or (lanes, window, hidden)."""
    scale: float
    """What `workloads.answers.apart` takes the largest value for where all are smaller."""


class ReferenceNetwork:
    """One architecture with its initial weights, each drawn when it is used: those of a large model are large."""

    def __init__(self, architecture: str, channels: int, sizes: NetworkSizes, seed: int, keep: bool = False) -> None:
        """keep: draw each weight once, for who asks for many answers and has no time to lose."""
        self._architecture, self._sizes, self._seed = architecture, sizes, seed
        self._shapes = shapes(architecture, channels, sizes)
        self._draw = cache(self._drawn) if keep else self._drawn

    def known_answer(self, clip: Clip, tolerance: float, step: float = 0.0, most: float = MOST) -> KnownAnswer:
        """What the answer to a clip is, from the first state: of as many frames as `most` products allow.

        tolerance, step: of the execution that is held against it. The first is a part of the largest value; features
        that are rounded to whole steps add to it what the last layer makes of one.
        """
        batch = self._sizes.batch
        lanes = sorted({0, batch - 1})
        count = self._frames(clip.frames, len(lanes), most)
        rows = np.arange(count)[:, None] * batch + np.array(lanes)
        answer = self.answer(clip.frames[:count], lanes)
        rounded = step * float(np.sqrt(self._squares().sum(axis=0)).max())
        within = tolerance + (rounded / answer.scale if answer.scale else 0.0)
        return KnownAnswer(rows.reshape(-1), answer.values, within, answer.scale)

    def answer(self, frames: Frames, lanes: list[int], state: npt.NDArray[np.float32] | None = None) -> ReferenceAnswer:
        """What it answers to these frames in these lanes.

        Args:
            frames: shape (T, height, width, channels), uint8.
            lanes: of the batch, from 0.
            state: of each of these lanes, from the frames before; the first state where it is left out.
        """
        given = first_state(self._architecture, self._sizes)[lanes] if state is None else state
        features, after = self._features(frames, lanes, self._rounded(given))
        values = self._linear("head", features)
        # Terms of a sum cancel out by chance, and their roundings do not: as large as a sum of any signs would be.
        scale = max(np.sqrt(np.square(features) @ self._squares()).max(), np.abs(values).max())
        return ReferenceAnswer(values, after, float(scale))

    def _squares(self) -> Array:
        """Of the weights of the last layer, shape (hidden, channels)."""
        return np.square(self._weight("head.weight").T)

    def _features(self, frames: Frames, lanes: list[int], state: Array) -> tuple[Array, Array]:
        """What the last layer is given, shape (T · lanes, hidden), and the state after it."""
        shifted = columns(self._sizes.batch, frames.shape[2])[lanes]
        pictures = frames[:, :, shifted].swapaxes(1, 2).reshape(-1, *frames.shape[1:])
        features = self._stem(self._rounded(pictures.astype(np.float32) / np.float32(255)))
        features = features.reshape(len(frames), len(lanes), -1)
        middle = self._recurrent if self._architecture == "recurrent" else self._transformer
        found, after = middle(features, state)
        return found.reshape(len(frames) * len(lanes), -1), after

    def _frames(self, frames: Frames, lanes: int, most: float) -> int:
        """How many frames of a clip may be computed."""
        count, height, width, channels = frames.shape
        sizes, first = self._sizes, ((height - 1) // 2) * ((width - 1) // 2)
        each = 9.0 * first * sizes.stem * channels + 9 * first / 4 * 2 * sizes.stem**2
        window, square = 0, 6 * sizes.hidden**2
        if self._architecture == "transformer":
            window, square = sizes.window, 12 * sizes.layers * sizes.hidden**2
        left = most / lanes - window * square
        return int(min(count, max(1.0, left // (each + square))))

    def _stem(self, pictures: Array) -> Array:
        """Shape (n, height, width, channels) → (n, hidden)."""
        features = self._convolved("stem.conv2", self._convolved("stem.conv1", pictures))
        return self._linear("stem.project", features.mean(axis=(1, 2)))

    def _convolved(self, name: str, pictures: Array) -> Array:
        """A 3×3 convolution of stride 2 without padding, and what of it is above 0."""
        kernel = self._weight(f"{name}.weight")
        seen = np.lib.stride_tricks.sliding_window_view(pictures, (3, 3), axis=(1, 2))[:, ::2, ::2]
        # (n, height, width, in, 3, 3), as a kernel is (out, in, 3, 3).
        products = seen.reshape(-1, kernel[0].size) @ kernel.reshape(len(kernel), -1).T
        found = products.reshape(*seen.shape[:3], len(kernel)) + self._weight(f"{name}.bias")
        return np.maximum(found, 0.0)

    def _recurrent(self, features: Array, state: Array) -> tuple[Array, Array]:
        """A GRU: shape (T, lanes, hidden) → the same, and the state."""
        matrix, bias = self._weight("gru.weight_hh_l0"), self._weight("gru.bias_hh_l0")
        given = features @ self._weight("gru.weight_ih_l0").T + self._weight("gru.bias_ih_l0")
        hidden = []
        for now in given:
            reset_in, update_in, new_in = np.split(now, 3, axis=1)
            reset, update, new = np.split(state @ matrix.T + bias, 3, axis=1)
            keep = _sigmoid(update_in + update)
            fresh = np.tanh(new_in + _sigmoid(reset_in + reset) * new)
            state = (1 - keep) * fresh + keep * state
            hidden.append(state)
        return np.stack(hidden), state

    def _transformer(self, features: Array, state: Array) -> tuple[Array, Array]:
        """An encoder, norms first, over the window before and the clip: shape (T, lanes, hidden) → the same, and the
        window after it."""
        window = self._sizes.window
        tokens = np.concatenate((state, features.swapaxes(0, 1)), axis=1)
        after = tokens[:, -window:]
        place = np.arange(tokens.shape[1])
        back = place[:, None] - place[None, :]
        bias = np.where((back < 0) | (back >= window), -np.inf, -back / window)
        for i in range(self._sizes.layers):
            tokens = self._layer(f"layers.{i}", tokens, bias)
        return self._norm("norm", tokens[:, window:].swapaxes(0, 1)), after

    def _layer(self, name: str, tokens: Array, bias: Array) -> Array:
        """tokens: shape (lanes, n, hidden). bias: shape (n, n), added to the scores."""
        lanes, count, hidden = tokens.shape
        heads = self._sizes.heads
        parts = self._linear(f"{name}.attend", self._norm(f"{name}.norm1", tokens))
        query, key, value = parts.reshape(lanes, count, 3, heads, hidden // heads).transpose(2, 0, 3, 1, 4)
        scores = query @ key.swapaxes(2, 3) / math.sqrt(hidden // heads) + bias
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        tokens = tokens + self._linear(f"{name}.merge", (shares @ value).swapaxes(1, 2).reshape(tokens.shape))
        wide = _gelu(self._linear(f"{name}.widen", self._norm(f"{name}.norm2", tokens)))
        return tokens + self._linear(f"{name}.narrow", wide)

    def _norm(self, name: str, x: Array) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + _EPSILON)
        normal: Array = centred / spread
        return normal * self._weight(f"{name}.weight") + self._weight(f"{name}.bias")

    def _linear(self, name: str, x: Array) -> Array:
        return x @ self._weight(f"{name}.weight").T + self._weight(f"{name}.bias")

    def _weight(self, name: str) -> Array:
        return self._rounded(self._draw(name))

    def _drawn(self, name: str) -> npt.NDArray[np.float32]:
        return initial(self._seed, {name: self._shapes[name]})[name]

    def _rounded(self, values: npt.NDArray[np.float32]) -> Array:
        """What a model is given, in its precision: what it computes of that is computed here in float64."""
        rounded: Array = _ROUNDED[self._sizes.precision](values).astype(np.float64)
        return rounded


def _bfloat16(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The nearest number of bfloat16, which is a float32 whose last 16 bits are 0; of two, the even one."""
    bits = values.view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded & np.uint32(0xFFFF0000)).view(np.float32)


_ROUNDED: dict[str, Callable[[Any], Any]] = {"float32": lambda values: values, "bfloat16": _bfloat16}


def _sigmoid(x: Array) -> Array:
    found: Array = 0.5 + 0.5 * np.tanh(0.5 * x)
    return found


def _gelu(x: Array) -> Array:
    """By tanh."""
    found: Array = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return found
