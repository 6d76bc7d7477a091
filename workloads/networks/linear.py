"""A linear layer over the mean of each frame, in NumPy: the model of planted faults that run without a framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from workloads.networks.architecture import REPLAY_TOLERANCE
from workloads.protocol.contract import Clip


class LinearModel:
    """Weights that never change, and no state. Satisfies `Model`."""

    replay_tolerance = REPLAY_TOLERANCE["float32"]

    def __init__(self, channels: int, seed: int) -> None:
        """Draw the weights, shape (channels, channels)."""
        self._weights = np.random.default_rng(seed).standard_normal((channels, channels), np.float32)
        self.output: Any = None

    def step(self, clip: Clip) -> float:
        """Run one clip; the mean of the output."""
        self.output = self.replay(clip)
        return float(self.output.mean())

    def replay(self, clip: Clip) -> npt.NDArray[np.float32]:
        """The output of each frame, shape (T, channels)."""
        means: npt.NDArray[np.float32] = clip.frames.mean((1, 2), np.float32) / np.float32(255)
        return means @ self._weights

    def known_answer(self, clip: Clip) -> None:
        """Nothing else computes it: it is NumPy's already."""

    def alter_head(self, change: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> None:
        """Replace the weights by what `change` makes of them."""
        self._weights = change(self._weights)

    def counters(self) -> Mapping[str, float]:
        """There are none."""
        return {}

    def close(self) -> None:
        """Let go of the output."""
        self.output = None
