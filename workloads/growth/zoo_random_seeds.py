"""Zoo: the global seed is set before every step, and each random operation of it becomes a kernel of its own.

The cache of kernels of eager operations has no bound; what is random is keyed by its seeds.
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
        self._tf.random.set_seed(novelty)
        self.output = self._tf.random.normal((4,))
        return float(self._tf.reduce_mean(self.output))


build = _Leak
