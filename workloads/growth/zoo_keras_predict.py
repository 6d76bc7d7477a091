"""Zoo: `model.predict` on a small array, again and again; each call leaves some native memory.

What else it leaves is garbage that a collection takes. Any `distinct` but 0 calls the model itself instead.
Reference: tensorflow/tensorflow issues 33009, 34579 and 44711.
"""

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
        inputs = keras.Input((10,))
        self._model: Any = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dense(32)(inputs)))
        self._given = np.ones((1, 10), np.float32)

    def once(self, novelty: int) -> float:
        if self._distinct:
            self.output = self._model(self._given, training=False)
        else:
            self.output = self._model.predict(self._given, verbose=0)
        return float(self.output[0, 0])


build = _Leak
