"""Planted lookalike: every step has a new shape; `reduce_retracing` makes one trace serve all."""

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
    """The shapes."""

    longest: int = 5000
    """After which they repeat."""


class _Planted(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._tf: Any = tf
        self._longest = options.longest
        self._function = tf.function(lambda x: tf.reduce_mean(tf.nn.relu(x * 2.0 + 1.0)), reduce_retracing=True)

    def once(self, novelty: int) -> float:
        self.output = self._function(self._tf.ones((1 + novelty % self._longest,)))
        return float(self.output)


build = _Planted
