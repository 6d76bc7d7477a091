"""TensorFlow compiled by XLA (`jit_compile`): a program for every new shape."""

from __future__ import annotations

import functools
from typing import Any

from workloads import frameworks
from workloads.executions import tensorflow_eager
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step

NAME = "xla"
AUTHORED_IN = EXECUTED_BY = "tensorflow"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("train", "infer")
TOPOLOGY = SINGLE


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that run as compiled programs; they count their `traces`, each of which is compiled."""
    import tensorflow as tf

    compiled = functools.partial(tf.function, jit_compile=True)
    infer, learn = map(compiled, tensorflow_eager.functions(network))
    run: Any = learn if setup.mode == "train" else infer
    return Step(run, infer, lambda: {"traces": float(run.experimental_get_tracing_count())})
