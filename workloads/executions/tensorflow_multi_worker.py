"""TensorFlow's MultiWorkerMirroredStrategy: each worker a process, gradients summed in a custom loop.

Every all-reduce leaves about 1.5 kB behind (seen with 2.21): TensorFlow draws a new key for each, and keeps a record of
every key. `multi_worker_static` draws one for each place in the graph, and keeps nothing more.

All workers see the same clips, so that what they compute is what one process computes.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from workloads import frameworks
from workloads.distribution import replicated
from workloads.protocol.contract import Setup
from workloads.protocol.execution import Network, Step, Topology

NAME = "multi_worker"
AUTHORED_IN = EXECUTED_BY = "tensorflow"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("train",)
TOPOLOGY = Topology(ranks=2)
DEVICES = ("cpu",)


def scope(setup: Setup) -> AbstractContextManager[Any]:
    """Within it variables are mirrored by all workers. It waits until all of them are there."""
    return replicated.multi_worker()


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that run as graphs and wait for those of all other workers; they count `traces` and `all_reduces`."""
    return replicated.make_step(network)
