"""Ways to run the two architectures: a framework that they are written in, and one of its executions."""

from __future__ import annotations

from workloads import executions, networks
from workloads.needs import missing_of
from workloads.networks.architecture import PRECISIONS
from workloads.protocol.execution import SINGLE

Way = tuple[str, str]
REFERENCE: Way = ("torch", executions.DEFAULT)
"""What all others are held against."""
PLAIN: tuple[Way, ...] = (REFERENCE, ("tensorflow", executions.DEFAULT), ("tensorflow", "graph"))
"""A framework as it comes. These are tried at length; what is made of them, in a few steps each."""


def made() -> list[Way]:
    """The others of a single process: traced, compiled, exported, converted, or fed in another way."""
    return [way for way in networks.ways() if way not in PLAIN and executions.find(*way).TOPOLOGY == SINGLE]


def whole() -> list[Way]:
    """Those of `made` that train, and compute in every precision."""
    return [way for way in made() if _is_whole(executions.find(*way))]


def _is_whole(module: object) -> bool:
    return "train" in getattr(module, "MODES", ()) and set(executions.precisions_of(module)) == set(PRECISIONS)


def lacks(way: Way) -> list[str]:
    """Modules that it needs and that are not installed here."""
    return missing_of(executions.find(*way).REQUIRES)
