"""Zoo: an iterator of a `tf.data` pipeline is opened now and then and kept, with its threads and its buffers.

Each holds the threads by which TensorFlow tunes and runs a pipeline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workloads import novelty
from workloads.novelty import EXECUTIONS
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("tensorflow",)
MODES = ("infer",)
DEVICES = ("cpu",)


@dataclass(frozen=True)
class Options(novelty.Options):
    """How much novelty, and how often."""

    every: int = 40
    """Steps from one iterator to the next; in between the latest is read."""


class _Leak(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._data = tf.data.Dataset.range(10**6).map(lambda number: tf.fill((256,), number)).batch(4)
        self._every = options.every
        self._open: dict[int, Any] = {}
        self._steps_in_all = 0

    def once(self, novelty: int) -> float:
        opened = self._steps_in_all // self._every
        place = opened % self._distinct if self._distinct else opened
        if self._steps_in_all % self._every == 0:
            self._open[place] = iter(self._data)
        self._steps_in_all += 1
        self.output = next(self._open[place])
        return float(self.output[0, 0])

    def close(self) -> None:
        self._open.clear()


build = _Leak
