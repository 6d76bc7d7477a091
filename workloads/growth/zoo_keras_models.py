"""Zoo: a Keras model is built for every request and kept in a list of models."""

from __future__ import annotations

from typing import Any

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("tensorflow",)
MODES = ("infer",)
DEVICES = ("cpu",)


class _Leak(Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import keras
        import numpy as np

        super().__init__(options)
        self._keras: Any = keras
        self._given = np.ones((1, 8), np.float32)
        self._models: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        layers = self._keras.layers
        model = self._models.get(novelty)
        if model is None:
            model = self._models[novelty] = self._keras.Sequential(
                [layers.Dense(16, activation="relu"), layers.Dense(1)]
            )
        self.output = model(self._given, training=False)
        return float(self.output[0, 0])


build = _Leak
