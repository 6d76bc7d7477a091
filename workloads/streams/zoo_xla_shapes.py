"""Zoo: a `tf.function` compiled by XLA for a new shape in every step; its executables are never evicted.

Reference: tensorflow/tensorflow issue 64170.
"""

from __future__ import annotations

from workloads.novelty import Novel, Options
from workloads.workload import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("tensorflow",)
MODES = ("infer",)


class _Executables(Novel):
    def __init__(self, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._ones = tf.ones
        self._function = tf.function(lambda x: tf.reduce_mean(tf.nn.relu(x * 2.0 + 1.0)), jit_compile=True)

    def once(self, novelty: int) -> float:
        self.output = self._function(self._ones((novelty + 1,)))
        return float(self.output)


def build(setup: Setup, options: Options) -> Novel:
    """The loop over shapes."""
    return _Executables(options)
