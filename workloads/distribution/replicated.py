"""A network of TensorFlow that several workers train together: each has a replica, gradients are summed."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from workloads.executions import tensorflow_eager
from workloads.protocol.execution import Network, Run, Step, Tensor

VARIABLE = "TF_CONFIG"
_COLLECTIVE = "CollectiveReduce"
"""Beginning of the operations that are all-reduces."""


def multi_worker(new_keys: bool = True) -> AbstractContextManager[Any]:
    """The scope of MultiWorkerMirroredStrategy. It waits until all workers of TF_CONFIG are there.

    new_keys: whether every all-reduce has a key of its own, as by default, or every place of a graph has one.

    Raises:
        ValueError: this process is no worker.
    """
    import tensorflow as tf
    from tensorflow.python.distribute.cross_device_utils import CollectiveReplicaLauncher

    if VARIABLE not in os.environ:
        raise ValueError("it needs a trial of several ranks, such as ranks = 2")
    CollectiveReplicaLauncher._prefer_unique_instance_key = new_keys
    scope: AbstractContextManager[Any] = tf.distribute.MultiWorkerMirroredStrategy().scope()
    return scope


def make_step(network: Network) -> Step:
    """Steps of the strategy in whose scope the network was made; they count `traces` and `all_reduces`."""
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    infer, _ = tensorflow_eager.functions(network)
    answer = tf.function(infer)

    @tf.function  # type: ignore[untyped-decorator]
    def run(frames: Tensor, state: Tensor) -> Any:
        return strategy.run(_learning(network), args=(frames, state))

    return Step(*counting(run, answer))


def counting(run: Any, answer: Run, replicas: int = 1) -> tuple[Run, Run, Callable[[], dict[str, float]]]:
    """Parts of a `Step`, which counts its `traces` and `all_reduces`.

    Args:
        run: a `tf.function`, a step of training.
        answer: one of inference.
        replicas: of this process: each takes part in an all-reduce by an operation of its own.
    """
    steps, each = 0, None

    def learn(frames: Tensor, state: Tensor) -> Any:
        nonlocal steps, each
        if each is None:
            # The same in every trace: the weights are, whatever the shape of a clip.
            each = _collectives(run.get_concrete_function(frames, state)) // replicas
        steps += 1
        return run(frames, state)

    def counted() -> dict[str, float]:
        return {"traces": float(run.experimental_get_tracing_count()), "all_reduces": float((each or 0) * steps)}

    return learn, answer, counted


def _learning(network: Network) -> Any:
    """What one replica does."""
    import tensorflow as tf

    def learn(frames: Tensor, state: Tensor) -> Any:
        pictures = network.pictures(frames)
        with tf.GradientTape() as tape:
            output, state = network.forward(pictures, state)
            loss = network.loss(output, pictures)
            # The optimizer sums the gradients of all replicas: their mean is what one process would take.
            share = loss / tf.distribute.get_replica_context().num_replicas_in_sync
        network.update(share, tape)
        return output, state, loss

    return learn


def _collectives(concrete: Any) -> int:
    """How many operations that are all-reduces a graph has; it does each whenever it runs."""
    return sum(operation.type.startswith(_COLLECTIVE) for operation in concrete.graph.get_operations())
