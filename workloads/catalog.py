"""Which workloads there are: the files of four packages, entry points of the group `soak.workloads`, a user's own code.

Clients of servers are workloads too, listed by themselves: the files of `clients/`, and entry points of `soak.clients`.

Naming them imports none of them; loading one imports that one, which never imports a framework by itself.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping
from typing import Any

from workloads import clients, executions, faults, growth, lookalikes, models, options, sources
from workloads.modules import ModuleError, Modules
from workloads.options import nearest
from workloads.users.stepping import UserModule

GROUP, CLIENTS = "soak.workloads", "soak.clients"
DEVICES = ("cpu", "cuda")
ITEM = "clip"
"""What workloads take that do not say what they take."""


class WorkloadError(ModuleError):
    """A workload that does not exist, breaks the contract, or was given options it does not have."""


_PARTS = ("FRAMEWORKS", "MODES", "Options", "build")
_WORKLOADS = Modules("workload", (models, faults, lookalikes, growth), GROUP, _PARTS, WorkloadError)
_CLIENTS = Modules("client", (clients,), CLIENTS, _PARTS, WorkloadError)


def names() -> tuple[str, ...]:
    """Every workload, sorted."""
    return tuple(_WORKLOADS.paths())


def client_names() -> tuple[str, ...]:
    """Every client of servers, sorted."""
    return tuple(_CLIENTS.paths())


def _kind(name: str) -> Modules:
    """What a name is of.

    Raises:
        WorkloadError: neither a workload nor a client has it.
    """
    found = next((kind for kind in (_WORKLOADS, _CLIENTS) if name in kind.paths()), None)
    if found is None:
        there = f"expected {name}:NAME, of a function, generator or class in it" if name.endswith(".py") else ""
        raise WorkloadError(f"unknown workload {name!r}: {there or nearest(name, (*names(), *client_names()))}")
    return found


def is_users(name: str) -> bool:
    """Whether it names a user's own code: `package.module:thing` or `path/file.py:thing`."""
    return ":" in name


def load(name: str, folder: str = "") -> Any:
    """The module of that workload, held to the contract of `workloads.protocol.contract.Workload`.

    Args:
        name: of a workload, or of a user's own code, which is imported only when it is built.
        folder: where the path of a user's own code begins.

    Raises:
        ModuleError: there is none, it cannot be imported, or a part is missing.
    """
    return UserModule(name, folder) if is_users(name) else _kind(name).load(name)


def options_of(name: str, given: Mapping[str, Any]) -> Any:
    """The workload's `Options` with these values; of a user's own code, the values themselves.

    Raises:
        WorkloadError: an option it does not have (with the nearest it has), or a value of another type.
    """
    return dict(given) if is_users(name) else _kind(name).options_of(name, given)


def filled(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The workload's options as JSON has them, with those that are left out at their defaults; not checked.

    Only those that are given of a user's own code, whose defaults stand in what is not imported here, and of what there
    is not: who checks it says so.
    """
    with contextlib.suppress(ModuleError):
        if name and not is_users(name):
            return options.filled(_options(name), given)
    return dict(given)


@functools.cache  # asked for every trial of a plan
def _options(name: str) -> type:
    kind: type = load(name).Options
    return kind


def devices_of(module: Any) -> tuple[str, ...]:
    """The devices that a workload's module runs on: all, where it does not say."""
    return tuple(getattr(module, "DEVICES", DEVICES))


def sources_of(module: Any) -> tuple[str, ...]:
    """The sources that a workload's module takes: those of clips, where it does not say."""
    return tuple(getattr(module, "SOURCES", ())) or sources.yielding(ITEM)


def describe(name: str) -> dict[str, Any]:
    """Name, purpose, frameworks, modes, devices, sources, requirements and options of a workload, for people.

    Raises:
        WorkloadError: there is none of that name.
    """
    return _kind(name).describe(name, _runs_in)


def _runs_in(module: Any) -> Mapping[str, Any]:
    return {
        "frameworks": list(module.FRAMEWORKS),
        "modes": list(module.MODES),
        "executions": sorted({name for each in module.FRAMEWORKS for name in executions.taken_by(module, each)}),
        "devices": list(devices_of(module)),
        "sources": list(sources_of(module)),
    }
