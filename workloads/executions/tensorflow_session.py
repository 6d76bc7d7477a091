"""TensorFlow as in version 1: a static graph with placeholders, finalized, which a Session runs."""

from __future__ import annotations

from workloads import frameworks
from workloads.conversion.static_graph import StaticGraph
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Step

NAME = "session"
AUTHORED_IN = EXECUTED_BY = "tensorflow"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("train", "infer")
TOPOLOGY = SINGLE


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that a session runs; a new shape adds a part to the graph, which is counted in `traces`."""
    graph = StaticGraph(network, setup)
    return Step(graph.run, graph.answer, graph.by_shape.counters, graph.alter)
