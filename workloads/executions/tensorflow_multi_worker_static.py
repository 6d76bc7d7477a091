"""MultiWorkerMirroredStrategy with one key for each all-reduce of the graph: clean twin of `multi_worker`.

By an attribute of TensorFlow that is not public; on one machine, where all workers trace alike, it is safe.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from workloads import frameworks
from workloads.distribution import replicated
from workloads.protocol.contract import Setup
from workloads.protocol.execution import Network, Step, Topology

NAME = "multi_worker_static"
AUTHORED_IN = EXECUTED_BY = "tensorflow"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("train",)
TOPOLOGY = Topology(ranks=2)
DEVICES = ("cpu",)


def scope(setup: Setup) -> AbstractContextManager[Any]:
    """Within it variables are mirrored by all workers. It waits until all of them are there."""
    return replicated.multi_worker(new_keys=False)


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that run as graphs and wait for those of all other workers; they count `traces` and `all_reduces`."""
    return replicated.make_step(network)
