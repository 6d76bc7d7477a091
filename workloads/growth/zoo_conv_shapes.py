"""Zoo: a convolution over images of ever new sizes; oneDNN keeps a primitive for each, up to a limit.

Nothing leaks: the cache is bounded at 1,024 primitives, though what is resident creeps on. In TensorFlow 2.21 live heap
grew by 74 KiB a size up to 1,024 sizes, and no more after; what malloc holds beyond it did.
Reference: pytorch/pytorch issues 32037 and 27971.
"""

from __future__ import annotations

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch", "tensorflow")
MODES = ("infer",)
DEVICES = ("cpu",)

_SMALLEST, _SIDES = 16, 96
_STRIDE = 3571
"""Coprime to the number of sizes: they come in no order, so that they do not grow along."""


def _sides(novelty: int) -> tuple[int, int]:
    """Height and width of that image."""
    height, width = divmod(novelty * _STRIDE % _SIDES**2, _SIDES)
    return _SMALLEST + height, _SMALLEST + width


class _Shapes(Novel):
    def __init__(self, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch = torch
        self._conv = torch.nn.Conv2d(3, 8, 3)

    def once(self, novelty: int) -> float:
        with self._torch.no_grad():
            self.output = self._conv(self._torch.ones(1, 3, *_sides(novelty)))
        return float(self.output.mean())


class _ShapesOfTensorFlow(Novel):
    def __init__(self, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._tf = tf
        self._filters = tf.ones((3, 3, 3, 8))

    def once(self, novelty: int) -> float:
        images = self._tf.ones((1, *_sides(novelty), 3))
        self.output = self._tf.nn.conv2d(images, self._filters, 1, "VALID")
        return float(self._tf.reduce_mean(self.output))


def build(setup: Setup, options: Options) -> Novel:
    """The loop over sizes."""
    return _Shapes(options) if setup.framework == "torch" else _ShapesOfTensorFlow(options)
