"""Planted lookalike: `tf.data` takes arrays from a generator; its memory rises for a while, then falls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from workloads import novelty
from workloads.novelty import EXECUTIONS
from workloads.options import between
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("tensorflow",)
MODES = ("infer",)
DEVICES = ("cpu",)


@dataclass(frozen=True)
class Options(novelty.Options):
    """The data."""

    kib: int = 96
    """Size of an element."""
    batch: int = 2
    """Elements of a step."""
    prefetch: int = 4
    """Batches that are fetched ahead."""

    def __post_init__(self) -> None:
        super().__post_init__()
        between(self, "kib", 1, 2**20)
        between(self, "batch", 1, 1024)
        between(self, "prefetch", 0, 1024)


class _Planted(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import numpy as np
        import tensorflow as tf

        super().__init__(options)
        numbers = options.kib * 256

        def elements() -> Iterator[Any]:
            number = 0
            while True:
                yield np.full(numbers, number, np.float32)
                number += 1

        data = tf.data.Dataset.from_generator(elements, output_signature=tf.TensorSpec((numbers,), tf.float32))
        self._batches: Any = iter(data.batch(options.batch).prefetch(options.prefetch))

    def once(self, novelty: int) -> float:
        self.output = next(self._batches)
        return float(self.output[0, 0])

    def close(self) -> None:
        self._batches = iter(())


build = _Planted
