"""Zoo: a `tf.function` given a new shape in every step keeps a graph for each.

Reference: tensorflow/tensorflow issues 31842 and 124972.
"""

from __future__ import annotations

from workloads.novelty import Novel, Options
from workloads.workload import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("tensorflow",)
MODES = ("infer",)


class _Retraces(Novel):
    def __init__(self, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._ones = tf.ones
        self._function = tf.function(lambda x: tf.reduce_mean(tf.nn.relu(x * 2.0 + 1.0)), reduce_retracing=False)

    def once(self, novelty: int) -> float:
        self.output = self._function(self._ones((novelty + 1,)))
        return float(self.output)


def build(setup: Setup, options: Options) -> Novel:
    """The loop over shapes."""
    return _Retraces(options)
