"""Zoo: a `tf.function` gets a new shape in every step and keeps a graph for each, or an XLA executable.

Reference: tensorflow/tensorflow issues 31842 and 124972; 64170 for XLA, which never evicts one.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads import novelty
from workloads.novelty import EXECUTIONS
from workloads.protocol.contract import Setup

__all__ = ["EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("tensorflow",)
MODES = ("infer",)


@dataclass(frozen=True)
class Options(novelty.Options):
    """How much novelty, and what is kept of it."""

    jit_compile: bool = False
    """Whether XLA compiles each shape."""


class _Retraces(novelty.Novel):
    def __init__(self, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._ones = tf.ones
        self._function = tf.function(
            lambda x: tf.reduce_mean(tf.nn.relu(x * 2.0 + 1.0)),
            jit_compile=options.jit_compile or None,
            reduce_retracing=False,
        )

    def once(self, novelty: int) -> float:
        self.output = self._function(self._ones((novelty + 1,)))
        return float(self.output)


def build(setup: Setup, options: Options) -> novelty.Novel:
    """The loop over shapes."""
    return _Retraces(options)
