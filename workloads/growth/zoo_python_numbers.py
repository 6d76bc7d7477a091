"""Zoo: TensorFlow, operation by operation, is given new Python numbers, and keeps a tensor for each of them.

A rate, a temperature or a weight of a loss that is computed anew in every step. Scalars of NumPy are not kept, nor is a
number that came before. Reference: tensorflow/tensorflow issue 68196.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads import novelty
from workloads.novelty import EXECUTIONS
from workloads.options import between
from workloads.protocol.contract import Setup

__all__ = ["EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("tensorflow",)
MODES = ("infer",)


@dataclass(frozen=True)
class Options(novelty.Options):
    """How much novelty, and in what form."""

    numbers: int = 10
    """Numbers of a step."""
    numpy: bool = False
    """Whether they are scalars of NumPy: the clean twin, of which each may be new."""

    def __post_init__(self) -> None:
        super().__post_init__()
        between(self, "numbers", 1, 10_000)


class _Numbers(novelty.Novel):
    def __init__(self, options: Options) -> None:
        import numpy as np
        import tensorflow as tf

        super().__init__(options)
        self._numbers = options.numbers
        self._form = np.float32 if options.numpy else float
        self._ones, self._mean = tf.ones((64,)), tf.reduce_mean

    def once(self, novelty: int) -> float:
        for number in range(novelty * self._numbers, (novelty + 1) * self._numbers):
            self.output = self._ones * self._form(number / 2**24)
        return float(self._mean(self.output))


def build(setup: Setup, options: Options) -> novelty.Novel:
    """The loop over numbers."""
    return _Numbers(options)
