"""Zoo: an iterator of a `tf.data` pipeline is opened for every request and kept, with its buffers."""

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
        self._data = tf.data.Dataset.range(10**6).map(lambda number: tf.fill((256,), number)).batch(4)
        self._open: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        self._open[novelty] = batches = iter(self._data)
        self.output = next(batches)
        return float(self.output[0, 0])


build = _Leak
