"""TensorFlow's MirroredStrategy: a replica on each device, gradients reduced by its own default."""

from __future__ import annotations

from workloads import frameworks
from workloads.conversion import mirrored
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step

NAME = "mirrored"
AUTHORED_IN = EXECUTED_BY = "tensorflow"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("train", "infer")
TOPOLOGY = SINGLE

scope = mirrored.prepared


def make_step(network: Network, setup: Setup) -> Step:
    """Steps by all replicas, as graphs; they count their `traces`, and in training their `all_reduces`."""
    return mirrored.make_step(network, setup)
