"""Zoo: a persistent `tf.GradientTape` is kept for every step, with everything it recorded."""

from __future__ import annotations

from typing import Any

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("tensorflow",)
MODES = ("train",)
DEVICES = ("cpu",)


class _Leak(Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._tf: Any = tf
        self._weight = tf.Variable(tf.ones((16, 16)))
        self._tapes: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        tf = self._tf
        with tf.GradientTape(persistent=True) as tape:
            loss = tf.reduce_mean(tf.square(tf.tanh(tf.ones((1 + novelty % 7, 16)) @ self._weight)))
        tape.gradient(loss, self._weight)
        self._tapes[novelty] = tape
        self.output = loss
        return float(loss)


build = _Leak
