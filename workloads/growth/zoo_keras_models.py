"""Zoo: a Keras model is built for every request and kept in a list of models.

What Keras and TensorFlow keep of a model is in the memory of the host; its weights are where it runs, on a card too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workloads import novelty
from workloads.novelty import EXECUTIONS
from workloads.options import between
from workloads.protocol.contract import Setup

__all__ = ["EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("tensorflow",)
MODES = ("infer",)


@dataclass(frozen=True)
class Options(novelty.Options):
    """How much novelty, and how large."""

    hidden: int = 16
    """Units of a model's first layer; each has ten weights."""

    def __post_init__(self) -> None:
        super().__post_init__()
        between(self, "hidden", 1, 2**24)


class _Leak(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import keras
        import numpy as np

        super().__init__(options)
        self._keras: Any = keras
        self._hidden = options.hidden
        self._given = np.ones((1, 8), np.float32)
        self._models: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        layers = self._keras.layers
        model = self._models.get(novelty)
        if model is None:
            model = self._models[novelty] = self._keras.Sequential(
                [layers.Dense(self._hidden, activation="relu"), layers.Dense(1)]
            )
        self.output = model(self._given, training=False)
        return float(self.output[0, 0])


build = _Leak
