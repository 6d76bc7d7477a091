"""Zoo: every step's output is kept as a tensor, to average a metric at the end of an endless epoch."""

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
        import tensorflow as tf

        super().__init__(options)
        self._tf: Any = tf
        self._weight = tf.Variable(tf.ones((16, 128)))
        self._outputs: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        self.output = self._tf.nn.relu(self._tf.ones((1 + novelty % 7, 16)) @ self._weight)
        self._outputs[novelty] = self.output
        return float(self._tf.reduce_mean(self.output))


build = _Leak
