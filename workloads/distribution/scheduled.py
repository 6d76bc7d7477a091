"""A network of TensorFlow whose weights lie on parameter servers, and whose steps a chief schedules on workers."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any

from workloads.distribution.replicated import VARIABLE
from workloads.executions import tensorflow_eager
from workloads.protocol.execution import Network, Run, Step, Tensor

_THREADS = 4
"""One that waits for another process must not keep those from working that it waits for."""


def parameter_servers() -> AbstractContextManager[Any]:
    """The scope of ParameterServerStrategy. Its servers and workers listen already.

    Raises:
        ValueError: this process is no chief of a cluster.
    """
    import tensorflow as tf

    if '"chief"' not in os.environ.get(VARIABLE, ""):
        raise ValueError("it needs a trial with a chief, workers and parameter servers, as it is by default")
    tf.config.threading.set_inter_op_parallelism_threads(_THREADS)
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    resolver.rpc_layer = "grpc"
    scope: AbstractContextManager[Any] = tf.distribute.ParameterServerStrategy(resolver).scope()
    return scope


def make_step(network: Network) -> Step:
    """Steps of the strategy in whose scope the network was made."""
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)

    def once(function: Run) -> Any:
        return tf.function(lambda frames, state: strategy.run(function, args=(frames, state)))

    def scheduled(function: Any) -> Run:
        def run(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            output, state, value = coordinator.schedule(function, args=(frames, state)).fetch()
            return tf.constant(output), tf.constant(state), tf.constant(value)

        return run

    infer, learn = map(once, tensorflow_eager.functions(network))
    return Step(scheduled(learn), scheduled(infer), lambda: {"traces": float(learn.experimental_get_tracing_count())})
