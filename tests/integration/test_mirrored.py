"""Replicas of MirroredStrategy are at work at the same time."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.installed import need
from workloads import frameworks as known
from workloads.conversion import mirrored

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

LONG = 60.0
"""Seconds that a replica waits for the other. They are spent only where it never comes."""


def test_replicas_meet_in_the_middle_of_a_step() -> None:
    """Each waits there for the other: one that begins when another has ended would wait in vain."""
    need("tensorflow")
    import tensorflow as tf

    strategy, barrier = mirrored.strategy_of("cpu"), threading.Barrier(mirrored.REPLICAS)
    met: list[bool] = []

    def meet(value: Any) -> Any:
        try:
            barrier.wait(LONG)
        except threading.BrokenBarrierError:
            met.append(False)
        else:
            met.append(True)
        return value

    def one(value: Any) -> Any:
        replica = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.float64)
        # With state, TensorFlow itself would put one behind the other.
        return tf.numpy_function(meet, [value + replica], tf.float64, stateful=False)

    both = tf.function(lambda value: strategy.experimental_local_results(strategy.run(one, (value,))))
    answers = both(tf.constant(1.0, tf.float64))
    assert met == [True] * mirrored.REPLICAS
    assert [float(each) for each in answers] == [1.0, 2.0]


def test_a_process_has_one_strategy_however_it_is_asked_for() -> None:
    """The collectives of two are counted by the same keys: one gets what the other reduces, or TensorFlow stops."""
    need("tensorflow")
    asked = mirrored.strategy_of("cpu")
    assert mirrored.strategy_of("cpu", False) is asked
    assert mirrored.strategy_of("cpu", one_device=False) is asked
    assert mirrored.strategy_of("cpu", one_device=True) is not asked


def test_the_environment_tells_a_thread_for_each_replica() -> None:
    need("tensorflow")
    told = known.load("tensorflow").environment()
    assert int(told["tensorflow_inter_op_threads"]) >= mirrored.REPLICAS
