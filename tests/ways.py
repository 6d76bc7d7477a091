"""Ways to run the two architectures: a framework that they are written in, and one of its executions."""

from __future__ import annotations

from workloads import executions, networks
from workloads.modules import missing_of
from workloads.networks.architecture import PRECISIONS
from workloads.protocol.execution import SINGLE

Way = tuple[str, str]
REFERENCE: Way = ("torch", executions.DEFAULT)
"""What all others are held against."""


def whole() -> list[Way]:
    """Those that train and infer in every precision, in one process, and need nothing but their framework."""
    return [way for way in networks.ways() if _is_whole(way)]


def partial() -> list[Way]:
    """The others of a single process: exported, converted, or of one mode or precision."""
    return [way for way in networks.ways() if not _is_whole(way) and executions.find(*way).TOPOLOGY == SINGLE]


def _is_whole(way: Way) -> bool:
    module = executions.find(*way)
    return (
        set(module.MODES) == {"train", "infer"}
        and set(executions.precisions_of(module)) == set(PRECISIONS)
        and executions.tolerance_of(module) == executions.TOLERANCE
        and module.TOPOLOGY == SINGLE
    )


def lacks(way: Way) -> list[str]:
    """Modules that it needs and that are not installed here."""
    return missing_of(executions.find(*way).REQUIRES)
