"""The recurrent model in NumPy alone: what a server must answer, computed without the framework that it runs on."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from workloads.networks.architecture import NetworkSizes, shapes
from workloads.networks.weights import initial
from workloads.protocol.contract import Frames

Floats: TypeAlias = "npt.NDArray[np.float32]"
TOLERANCE = 1e-4
"""Largest difference, as a part of the largest value. Sums in another order differ by some 1e-6 in float32, which a
state that is carried on may make larger; a wrong weight, frame or state differs by more than a hundredth."""


class NumpyRecurrent:
    """The model with the weights of one seed."""

    def __init__(self, seed: int, channels: int, sizes: NetworkSizes) -> None:
        self._weights = initial(seed, shapes("recurrent", channels, sizes))

    def __call__(self, frames: Frames, state: Floats) -> tuple[Floats, Floats]:
        """Run one clip.

        Args:
            frames: shape (T, height, width, channels), uint8.
            state: shape (1, hidden).

        Returns:
            A prediction for each frame, shape (T, channels), and the state.
        """
        w = self._weights
        features = self._convolved(
            "stem.conv2", self._convolved("stem.conv1", np.divide(frames, 255, dtype=np.float32))
        )
        given = self._linear("stem.project", features.mean(axis=(1, 2)))
        given = given @ w["gru.weight_ih_l0"].T + w["gru.bias_ih_l0"]
        hidden = []
        for now in given:
            state = self._stepped(now[None], state)
            hidden.append(state)
        return self._linear("head", np.concatenate(hidden)), state

    def _convolved(self, name: str, x: Floats) -> Floats:
        """A 3×3 convolution of stride 2 with ReLU. x: shape (n, height, width, in)."""
        windows = sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::2, ::2]
        kernel = self._weights[f"{name}.weight"]
        summed: Floats = np.tensordot(windows, kernel, axes=((3, 4, 5), (1, 2, 3)))
        found: Floats = np.maximum(summed + self._weights[f"{name}.bias"], 0)
        return found

    def _linear(self, name: str, x: Floats) -> Floats:
        found: Floats = x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return found

    def _stepped(self, now: Floats, state: Floats) -> Floats:
        """One frame of a GRU. now: shape (1, 3 · hidden). state: shape (1, hidden)."""
        reset_in, update_in, new_in = np.split(now, 3, axis=1)
        recurrent = state @ self._weights["gru.weight_hh_l0"].T + self._weights["gru.bias_hh_l0"]
        reset, update, new = np.split(recurrent, 3, axis=1)
        keep = _sigmoid(update_in + update)
        fresh = np.tanh(new_in + _sigmoid(reset_in + reset) * new)
        found: Floats = fresh + keep * (state - fresh)
        return found


def _sigmoid(x: Floats) -> Floats:
    # Without overflow for any x.
    found: Floats = (0.5 * (1 + np.tanh(0.5 * x))).astype(np.float32)
    return found


def differs(answer: Floats, expected: Floats) -> float:
    """The largest difference as a part of the largest value; infinite where the shapes are not the same."""
    if answer.shape != expected.shape:
        return float("inf")
    return float(np.abs(answer - expected).max() / max(float(np.abs(expected).max()), 1e-12))
