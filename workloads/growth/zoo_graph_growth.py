"""Zoo: a TensorFlow 1 session adds an operation to its graph in every run, and never removes one.

Reference: tensorflow/tensorflow issues 700 and 9646.
"""

from __future__ import annotations

from typing import Any

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("tensorflow",)
MODES = ("infer",)


class _Runs(Novel):
    def __init__(self, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._graph = tf.Graph()
        with self._graph.as_default():
            self._zero = tf.constant(0.0)
        self._session = tf.compat.v1.Session(graph=self._graph)
        self._operations: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        operation = self._operations.get(novelty)
        if operation is None:
            with self._graph.as_default():
                operation = self._zero + 1.0
            if self._distinct:
                self._operations[novelty] = operation
        value = float(self._session.run(operation))
        self.output = value
        return value

    def close(self) -> None:
        """Let go of the session."""
        self._session.close()


def build(setup: Setup, options: Options) -> Novel:
    """The loop over runs."""
    return _Runs(options)
