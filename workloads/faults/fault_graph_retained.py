"""Planted fault: the carried state is never detached, so the graph of every step stays alive.

In PyTorch the state is passed on with its history; in TensorFlow a persistent gradient tape is never closed. How much
leaks in a step follows from the clip: pace the stream in real time to set the rate.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads.models import recurrent
from workloads.protocol.contract import Setup, Workload

__all__ = ["EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = recurrent.FRAMEWORKS
MODES = ("infer",)
EXECUTIONS = ("eager", "graph")
"""In these the history of every step was seen to stay."""


@dataclass(frozen=True)
class Options:
    """There are none."""


def build(setup: Setup, options: Options) -> Workload:
    """The recurrent model with the fault in it."""
    return recurrent.build(setup, recurrent.Options(), keep_graph=True)
