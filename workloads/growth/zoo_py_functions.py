"""Zoo: `tf.py_function` is called outside a graph, again and again; a registry keeps each function."""

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
        self._functions: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        if self._distinct:
            function = self._functions.setdefault(novelty, self._tf.function(self._called))
            self.output = function(self._tf.ones((4,)))
        else:
            self.output = self._called(self._tf.ones((4,)))
        return float(self._tf.reduce_mean(self.output))

    def _called(self, given: Any) -> Any:
        return self._tf.py_function(lambda x: x * 2.0, [given], self._tf.float32)


build = _Leak
