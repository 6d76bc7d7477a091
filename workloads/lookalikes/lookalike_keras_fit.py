"""Planted lookalike: one Keras model is trained with `fit` again and again, which leaves only garbage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workloads import novelty
from workloads.novelty import EXECUTIONS
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("tensorflow",)
MODES = ("train",)
DEVICES = ("cpu",)


@dataclass(frozen=True)
class Options(novelty.Options):
    """How much."""

    batches: int = 4
    """Of each call."""


class _Planted(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._tf: Any = tf
        import keras
        import numpy as np

        self._model: Any = keras.Sequential([keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)])
        self._model.compile("sgd", "mse", jit_compile=False)
        self._given = np.ones((8 * options.batches, 8), np.float32)

    def once(self, novelty: int) -> float:
        history = self._model.fit(self._given, self._given[:, :1], batch_size=8, verbose=0)
        return float(history.history["loss"][0])


build = _Planted
