"""LiteRT (TensorFlow Lite) in float32: a converted program for every new shape."""

from __future__ import annotations

from workloads.conversion import litert
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step

NAME = "litert"
AUTHORED_IN, EXECUTED_BY = "tensorflow", "litert"
REQUIRES = litert.REQUIRES
MODES = ("infer",)
TOPOLOGY = SINGLE
DEVICES = ("cpu",)
PRECISIONS = ("float32",)


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that the program runs; they count their `traces`, each of which is a conversion."""
    return litert.make_step(network, setup, "float32")
