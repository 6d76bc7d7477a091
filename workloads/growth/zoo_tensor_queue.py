"""Zoo: a TensorFlow queue is filled faster than it is drained; no Python object holds its tensors."""

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
    """How much novelty, and how large."""

    kib: int = 16
    """Size of a tensor; one more stays in every step."""


class _Leak(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._tf: Any = tf
        self._numbers = options.kib * 256
        self._queue = tf.queue.FIFOQueue(10**6, [tf.float32], shapes=[(self._numbers,)])

    def once(self, novelty: int) -> float:
        for _ in range(2):
            self._queue.enqueue(self._tf.ones((self._numbers,)))
        self.output = self._queue.dequeue()
        if self._distinct and int(self._queue.size()) > self._distinct:
            self._queue.dequeue()
        return float(self.output[0])


build = _Leak
