"""Zoo: variables are created in every step and kept, as in a module that creates them in its call."""

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
    """Size of a variable."""


class _Leak(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._tf: Any = tf
        self._numbers = options.kib * 256
        self._kept: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        self._kept[novelty] = variable = self._tf.Variable(self._tf.ones((self._numbers,)))
        self.output = self._tf.reduce_mean(variable)
        return float(self.output)


build = _Leak
