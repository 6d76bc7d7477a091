"""Zoo: a new Keras model is built, trained and cleared in every step; part of each stays.

`distinct` bounds how many models there are; they are trained again and never cleared.
Reference: tensorflow/tensorflow issue 40171.
"""

from __future__ import annotations

from typing import Any

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("tensorflow",)
MODES = ("train",)


class _Models(Novel):
    def __init__(self, options: Options) -> None:
        import keras
        import numpy as np

        super().__init__(options)
        self._keras = keras
        self._x, self._y = np.ones((8, 4), np.float32), np.ones((8, 1), np.float32)
        self._models: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        model = self._models.get(novelty) or self._new()
        if self._distinct:
            self._models[novelty] = model
        loss = model.train_on_batch(self._x, self._y)
        self.output = model.trainable_variables[0]
        return float(loss)

    def _new(self) -> Any:
        if not self._distinct:
            self._keras.backend.clear_session()
        model = self._keras.Sequential([self._keras.layers.Dense(8, activation="relu"), self._keras.layers.Dense(1)])
        model.compile("sgd", "mse", jit_compile=False)
        return model


def build(setup: Setup, options: Options) -> Novel:
    """The loop over models."""
    return _Models(options)
