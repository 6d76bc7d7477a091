"""The two architectures that the workloads of `models/` run, in every framework that they are written in."""

from __future__ import annotations

from typing import Any

from workloads import executions
from workloads import frameworks as known
from workloads.modules import Modules
from workloads.networks import authored

_NETWORKS = Modules("network", (authored,), "soak.networks", ("build",))


def frameworks() -> tuple[str, ...]:
    """Those that the architectures are written in, in the order of all."""
    written = _NETWORKS.paths()
    return tuple(name for name in known.names() if name in written)


def ways() -> tuple[tuple[str, str], ...]:
    """Every framework that the architectures are written in, with every execution of it."""
    return tuple((framework, name) for framework in frameworks() for name in executions.of(framework))


def load(framework: str) -> Any:
    """The module of the networks of a framework; it imports the framework.

    Raises:
        ModuleError: there is none.
    """
    return _NETWORKS.load(framework)
