"""Planted lookalike: `tf.data` caches the elements of the first epoch, and reads them from then on."""

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

    elements: int = 900
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
        self._batches = iter(data.cache().repeat())

    def once(self, novelty: int) -> float:
        self.output = next(self._batches)
        return float(self.output[0])


build = _Planted
