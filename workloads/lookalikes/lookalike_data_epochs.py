"""Planted lookalike: each epoch of `tf.data` opens an iterator with a shuffle buffer, and drops it."""

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
    """The data."""

    elements: int = 200
    """Of an epoch."""
    kib: int = 32
    """Size of an element."""


class _Planted(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._tf: Any = tf
        numbers = options.kib * 256
        data = tf.data.Dataset.range(options.elements).map(lambda n: tf.fill((numbers,), tf.cast(n, tf.float32)))
        self._data = data.shuffle(options.elements // 2)
        self._batches: Any = iter(())

    def once(self, novelty: int) -> float:
        element = next(self._batches, None)
        if element is None:
            self._batches = iter(self._data)
            element = next(self._batches)
        self.output = element
        return float(element[0])


build = _Planted
