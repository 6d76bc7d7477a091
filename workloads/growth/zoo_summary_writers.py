"""Zoo: a summary writer is created for every evaluation and never closed: its file stays open.

The files themselves go with the workload. Evaluations come every so many steps.
"""

from __future__ import annotations

import tempfile
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
    """How much novelty, and how often."""

    spacing: int = 20
    """Steps from one evaluation to the next."""


class _Leak(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._tf: Any = tf
        self._every = options.spacing
        self._writers: dict[int, Any] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="soak-zoo-")
        self._steps_in_all = 0

    def once(self, novelty: int) -> float:
        if self._steps_in_all % self._every == 0:
            self._open(self._steps_in_all // self._every)
        self._steps_in_all += 1
        return 1.0

    def _open(self, number: int) -> None:
        place = number % self._distinct if self._distinct else number
        before = self._writers.get(place)
        if before is not None:
            before.close()
        self._writers[place] = writer = self._tf.summary.create_file_writer(f"{self._folder.name}/{number}")
        with writer.as_default():
            self._tf.summary.write("loss", self._tf.constant(1.0), step=number)

    def close(self) -> None:
        self._folder.cleanup()


build = _Leak
