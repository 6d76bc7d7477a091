"""TensorFlow's MirroredStrategy whose gradients are reduced on one device (`ReductionToOneDevice`).

The clean twin of `mirrored`, whose collectives on CPUs keep something of each all-reduce.
"""

from __future__ import annotations

from workloads import frameworks
from workloads.conversion import mirrored
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step

NAME = "mirrored_one_device"
AUTHORED_IN = EXECUTED_BY = "tensorflow"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("train", "infer")
TOPOLOGY = SINGLE

prepare = mirrored.prepare


def make_step(network: Network, setup: Setup) -> Step:
    """Steps by all replicas, as graphs; they count their `traces`."""
    return mirrored.make_step(network, setup, one_device=True)
