"""Zoo: a `tf.lookup` table gets new keys in every step; no Python object holds them."""

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
    """How much novelty, and how many keys."""

    keys: int = 20
    """New ones in a step."""


class _Leak(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._tf: Any = tf
        self._keys = options.keys
        self._table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)

    def once(self, novelty: int) -> float:
        first = novelty * self._keys
        keys = [f"user {number:08d} of a service with long names" for number in range(first, first + self._keys)]
        self._table.insert(keys, list(range(self._keys)))
        self.output = self._table.lookup(self._tf.constant(keys[:1]))
        return float(self.output[0])


build = _Leak
