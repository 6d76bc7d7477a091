"""TensorFlow.js in plain JavaScript, under Node.js: a converted model for every new shape."""

from __future__ import annotations

from workloads.conversion import tensorflow_js
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step

NAME = "tfjs"
AUTHORED_IN, EXECUTED_BY = "tensorflow", "tfjs"
REQUIRES = tensorflow_js.REQUIRES
MODES = ("infer",)
TOPOLOGY = SINGLE
DEVICES = ("cpu",)
PRECISIONS = ("float32",)
missing = tensorflow_js.missing


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that Node.js runs; they count their `traces`, each of which is a conversion."""
    return tensorflow_js.make_step(network, setup, "cpu")
