"""Planted lookalike: a `tf.lookup` table gets keys that repeat: it fills, and is overwritten."""

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
    """The keys."""

    most: int = 20000
    """Different ones."""
    keys: int = 20
    """In a step."""


class _Planted(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._tf: Any = tf
        self._most, self._keys = options.most, options.keys
        self._table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)

    def once(self, novelty: int) -> float:
        numbers = [(novelty * self._keys + place) % self._most for place in range(self._keys)]
        keys = [f"user {number:08d} of a service with long names" for number in numbers]
        self._table.insert(keys, numbers)
        self.output = self._table.lookup(self._tf.constant(keys[:1]))
        return float(self.output[0])


build = _Planted
