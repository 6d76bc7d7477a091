"""Zoo: a persistent `tf.GradientTape` is kept for every step, with everything it recorded.

The tensors that it recorded are where they were computed, on a card too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workloads import novelty
from workloads.novelty import EXECUTIONS
from workloads.options import between
from workloads.protocol.contract import Setup

__all__ = ["EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("tensorflow",)
MODES = ("train",)


@dataclass(frozen=True)
class Options(novelty.Options):
    """How much novelty, and how large."""

    rows: int = 1
    """Rows of 16 numbers in the smallest batch; others have up to seven times as many."""

    def __post_init__(self) -> None:
        super().__post_init__()
        between(self, "rows", 1, 2**20)


class _Leak(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._tf: Any = tf
        self._rows = options.rows
        self._weight = tf.Variable(tf.ones((16, 16)))
        self._tapes: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        tf = self._tf
        with tf.GradientTape(persistent=True) as tape:
            given = tf.ones((self._rows * (1 + novelty % 7), 16))
            loss = tf.reduce_mean(tf.square(tf.tanh(given @ self._weight)))
        tape.gradient(loss, self._weight)
        self._tapes[novelty] = tape
        self.output = loss
        return float(loss)


build = _Leak
