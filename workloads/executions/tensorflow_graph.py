"""TensorFlow with `tf.function`: a graph for every new shape."""

from __future__ import annotations

from typing import Any

from workloads import frameworks
from workloads.executions import tensorflow_eager
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step

NAME = "graph"
AUTHORED_IN = EXECUTED_BY = "tensorflow"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("train", "infer")
TOPOLOGY = SINGLE


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that run as graphs; they count their `traces`."""
    import tensorflow as tf

    infer, learn = map(tf.function, tensorflow_eager.functions(network))
    run: Any = learn if setup.mode == "train" else infer
    return Step(run, infer, lambda: {"traces": float(run.experimental_get_tracing_count())})
