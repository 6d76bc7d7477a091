"""Zoo: TensorFlow takes gradients of `tf.concat`, operation by operation, and keeps 128 bytes of each.

Any `distinct` but 0 joins by `tf.stack` instead. What keeps them reads the sizes of the parts
(`TFE_Py_TensorShapeSlice`), however many there are.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads import novelty
from workloads.novelty import EXECUTIONS
from workloads.options import between
from workloads.protocol.contract import Setup

__all__ = ["EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("tensorflow",)
MODES = ("train",)


@dataclass(frozen=True)
class Options(novelty.Options):
    """How much."""

    gradients: int = 20
    """Of a step, one after the other."""

    def __post_init__(self) -> None:
        super().__post_init__()
        between(self, "gradients", 1, 10_000)


class _Gradients(novelty.Novel):
    def __init__(self, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._count = options.gradients
        self._tape, self._mean = tf.GradientTape, tf.reduce_mean
        self._join = tf.stack if options.distinct else tf.concat
        self._weights = tf.Variable(tf.ones((8, 8)))

    def once(self, novelty: int) -> float:
        for _ in range(self._count):
            with self._tape() as tape:
                loss = self._mean(self._join([self._weights, self._weights], 0))
            self.output = tape.gradient(loss, self._weights)
        return float(loss)


def build(setup: Setup, options: Options) -> novelty.Novel:
    """The loop over gradients."""
    return _Gradients(options)
