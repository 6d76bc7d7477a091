"""TensorFlow's ParameterServerStrategy: a chief that schedules steps on workers, weights on a server.

One step at a time, on whichever worker is free, with the state that the last one left: so what they compute is what one
process computes. The chief alone counts steps; what the others hold is held against them.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from workloads import frameworks
from workloads.distribution import scheduled
from workloads.protocol.contract import Setup
from workloads.protocol.execution import Network, Step, Topology

NAME = "parameter_server"
AUTHORED_IN = EXECUTED_BY = "tensorflow"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("train",)
TOPOLOGY = Topology(4, ("ps", "worker", "worker", "chief"), "workloads.distribution.tensorflow_server")
DEVICES = ("cpu",)


def scope(setup: Setup) -> AbstractContextManager[Any]:
    """Within it variables are put on the parameter servers of TF_CONFIG, which listen already."""
    return scheduled.parameter_servers()


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that the chief schedules and waits for; they count their `traces`."""
    return scheduled.make_step(network)
