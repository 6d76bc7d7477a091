"""Zoo: replicas on logical devices of the CPU add up gradients; TensorFlow keeps something of each all-reduce.

What is kept is how its members found each other, and a tensor of its key, a new Python number each time. Any `distinct`
but 0 reduces on one device instead, by `ReductionToOneDevice`. Reference: tensorflow/tensorflow issue 42616.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workloads import novelty
from workloads.conversion import mirrored
from workloads.novelty import EXECUTIONS
from workloads.options import between
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("tensorflow",)
MODES = ("train",)
DEVICES = ("cpu",)


@dataclass(frozen=True)
class Options(novelty.Options):
    """How much."""

    all_reduces: int = 4
    """Of a step, one after the other."""

    def __post_init__(self) -> None:
        super().__post_init__()
        between(self, "all_reduces", 1, 1000)


class _Reduces(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        mirrored.prepared(setup)
        self._strategy: Any = mirrored.strategy_of(setup.device, one_device=bool(options.distinct))

        def one(given: Any) -> Any:
            gradient = tf.identity(given)  # a tensor of the replica's own device
            for _ in range(options.all_reduces):
                gradient = tf.distribute.get_replica_context().all_reduce("mean", gradient)
            return gradient

        self._gradient = tf.ones((64,))
        self._step: Any = tf.function(lambda gradient: self._strategy.run(one, (gradient,)))

    def once(self, novelty: int) -> float:
        self.output = self._strategy.experimental_local_results(self._step(self._gradient))[0]
        return float(self.output[0])


build = _Reduces
