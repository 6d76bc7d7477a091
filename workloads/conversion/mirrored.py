"""A network of TensorFlow under MirroredStrategy: a replica on each device, gradients reduced over all of them.

On a GPU the replicas are all those that the trial has; without one, two logical devices of the CPU. Lanes are shared
out where every replica gets as many; of fewer lanes each replica runs all. Either way outputs and losses are those of
one device, and the weights of all replicas stay equal.
"""

from __future__ import annotations

import contextlib
import functools
from contextlib import AbstractContextManager
from typing import Any

from workloads.distribution import replicated
from workloads.errors import DeviceError
from workloads.protocol.contract import Setup
from workloads.protocol.execution import Run, Step, Tensor

REPLICAS = 2
"""Logical devices of the CPU."""


def prepared(setup: Setup) -> AbstractContextManager[None]:
    """Make the logical devices of the CPU, and a thread for each, before TensorFlow makes its own. No scope.

    By a single thread replicas would run one after the other. GPUs have theirs from `frameworks.tensorflow`.

    Raises:
        DeviceError: TensorFlow has run something already.
    """
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    if setup.device == "cpu" and len(tf.config.get_logical_device_configuration(cpu) or ()) < REPLICAS:
        try:
            tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * REPLICAS)
            threads = tf.config.threading.get_inter_op_parallelism_threads()
            tf.config.threading.set_inter_op_parallelism_threads(max(threads, REPLICAS))
        except RuntimeError as error:
            raise DeviceError(f"TensorFlow has no {REPLICAS} logical devices of the CPU: {error}") from error
    return contextlib.nullcontext()


def strategy_of(device: str, one_device: bool = False) -> Any:
    """MirroredStrategy over the devices of the trial. one_device: reduce on one, not by the default of TensorFlow.

    It is the same one for all who ask.
    """
    return _strategy(device, one_device)


# Two of one process would count their collectives by the same keys, and get each other's. The cache takes arguments by
# position only, as it knows a default, or a keyword, for another call.
@functools.cache
def _strategy(device: str, one_device: bool, /) -> Any:
    import tensorflow as tf

    devices = tf.config.list_logical_devices("CPU" if device == "cpu" else "GPU")
    names = [each.name for each in devices[: REPLICAS if device == "cpu" else None]]
    return tf.distribute.MirroredStrategy(names, tf.distribute.ReductionToOneDevice() if one_device else None)


def make_step(network: Any, setup: Setup, one_device: bool = False) -> Step:
    """Steps by all replicas, as graphs. one_device: as in `strategy_of`.

    They count their `traces`, and in training their `all_reduces`, unless one device adds up all gradients.
    """
    import tensorflow as tf

    strategy = strategy_of(setup.device, one_device)
    with strategy.scope():
        network.make_variables()
    infer, learn = map(tf.function, functions(network, strategy))
    if setup.mode == "train" and not one_device:
        return Step(*replicated.counting(learn, infer, strategy.num_replicas_in_sync))
    run: Any = learn if setup.mode == "train" else infer
    return Step(run, infer, lambda: {"traces": float(run.experimental_get_tracing_count())})


def functions(network: Any, strategy: Any) -> tuple[Run, Run]:
    """A step of inference, and one of training, by all replicas of a strategy."""
    import tensorflow as tf

    replicas = strategy.num_replicas_in_sync

    def infer(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        def one(pictures: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
            return network.frozen_model(*_share(network.batched(pictures), state, replicas))  # type: ignore[no-any-return]

        output, after = strategy.run(one, (network.pictures(frames), state))
        output, state = _whole(strategy, output, after, state)
        return output, state, network.mean(output)

    def learn(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        def one(pictures: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            batched, state = _share(network.batched(pictures), state, replicas)
            with tf.GradientTape() as tape:
                output, state = network.model(batched, state)
                # The optimizer adds up the gradients of all replicas.
                loss = network.loss(output, pictures) / replicas
            network.update(loss, tape)
            return output, state, loss

        output, after, loss = strategy.run(one, (network.pictures(frames), state))
        output, state = _whole(strategy, output, after, state)
        return output, state, tf.add_n(strategy.experimental_local_results(loss))

    return infer, learn


def _share(batched: Tensor, state: Tensor, replicas: int) -> tuple[Tensor, Tensor]:
    """The lanes of the replica that asks, of clips (T · lanes, height, width, channels) and of states (lanes, …)."""
    import tensorflow as tf

    lanes = state.shape[0]
    if lanes % replicas:
        return batched, state
    mine = tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group)
    frames = tf.reshape(batched, (-1, replicas, lanes // replicas, *batched.shape[1:]))[:, mine]
    return tf.reshape(frames, (batched.shape[0] // replicas, *batched.shape[1:])), tf.split(state, replicas)[mine]


def _whole(strategy: Any, output: Tensor, state: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """Output and state of all lanes, of those of each replica."""
    import tensorflow as tf

    outputs, states = map(strategy.experimental_local_results, (output, state))
    if states[0].shape == before.shape:
        return outputs[0], states[0]
    split = [tf.reshape(each, (-1, states[0].shape[0], each.shape[1])) for each in outputs]
    return tf.reshape(tf.concat(split, axis=1), (-1, outputs[0].shape[1])), tf.concat(states, axis=0)
