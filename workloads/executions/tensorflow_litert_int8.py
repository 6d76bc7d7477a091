"""LiteRT (TensorFlow Lite) in int8, with ranges learned from the stream: a program for every new shape."""

from __future__ import annotations

from workloads.conversion import litert
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step

NAME = "litert_int8"
AUTHORED_IN, EXECUTED_BY = "tensorflow", "litert"
REQUIRES = litert.REQUIRES
MODES = ("infer",)
TOPOLOGY = SINGLE
DEVICES = ("cpu",)
PRECISIONS = ("float32",)
TOLERANCE = 0.2
"""Of 256 steps between the least and the largest value of each tensor, and outputs of a sigmoid and tanh that have a
fixed range: a small state has few of them."""
STEP = 2 / 256
"""Of a tanh, whatever its values are: the first states of a stream are not much larger."""


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that the program runs; they count their `traces`, each of which is a conversion."""
    return litert.make_step(network, setup, "int8")
