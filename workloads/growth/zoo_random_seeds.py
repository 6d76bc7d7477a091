"""Zoo: a random operation gets a new seed in every step, and a kernel is kept for each seed.

The cache of kernels of eager operations has no bound, and the seed is part of its key.
"""

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

    def once(self, novelty: int) -> float:
        self.output = self._tf.random.normal((4,), seed=novelty)
        return float(self._tf.reduce_mean(self.output))


build = _Leak
