"""Planted lookalike: a `tf.function` traces each of a few lengths once; the rare ones come late."""

from __future__ import annotations

import random
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
    """The lengths."""

    lengths: int = 24
    """Different ones."""


class _Planted(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._tf: Any = tf
        self._random = random.Random(setup.seed)  # noqa: S311  (lengths, not secrets)
        self._lengths = range(1, 1 + options.lengths)
        self._weights = [1.0 / length for length in self._lengths]
        self._function = tf.function(lambda x: tf.reduce_mean(tf.nn.relu(x * 2.0 + 1.0)), reduce_retracing=False)

    def once(self, novelty: int) -> float:
        (length,) = self._random.choices(self._lengths, self._weights)
        self.output = self._function(self._tf.ones((length,)))
        return float(self.output)


build = _Planted
