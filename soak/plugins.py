"""What `soak list` can list: the kinds of plug-ins, each described without importing a framework."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import monitors.catalog
import monitors.detection.judge
import reports.catalog
import workloads.catalog
import workloads.server_catalog
import workloads.sources
from workloads import executions, frameworks
from workloads.modules import ModuleError
from workloads.needs import Needs, needs_of


def _workloads() -> list[dict[str, Any]]:
    return [workloads.catalog.describe(name) for name in workloads.catalog.names()]


def _executions() -> list[dict[str, Any]]:
    order = frameworks.names()
    rows = [executions.describe(name) for name in executions.names()]
    return sorted(rows, key=lambda row: order.index(row["framework"]) if row["framework"] in order else len(order))


def _frameworks() -> list[dict[str, Any]]:
    return [frameworks.describe(name) for name in frameworks.names()]


def _clients() -> list[dict[str, Any]]:
    return [workloads.catalog.describe(name) for name in workloads.catalog.client_names()]


def _servers() -> list[dict[str, Any]]:
    return [workloads.server_catalog.describe(name) for name in workloads.server_catalog.names()]


def _sources() -> list[dict[str, Any]]:
    return [workloads.sources.describe(name) for name in workloads.sources.names()]


def needs() -> Iterator[tuple[str, Needs]]:
    """What each of those that a trial runs needs, with its kind and name; of one that is broken, nothing is known."""
    catalog, servers = workloads.catalog, workloads.server_catalog
    kinds: dict[str, tuple[Iterable[str], Callable[[str], Any]]] = {
        "workload": (catalog.names(), catalog.load), "client": (catalog.client_names(), catalog.load),
        "server": (servers.names(), servers.load), "source": (workloads.sources.names(), workloads.sources.load),
        "framework": (frameworks.names(), frameworks.load), "execution": (executions.names(), executions.load),
    }  # fmt: skip
    for kind, (names, load) in kinds.items():
        for name in names:
            with contextlib.suppress(ModuleError):
                yield f"{kind} {name}", needs_of(load(name))


def _samplers() -> list[dict[str, Any]]:
    def told(name: str) -> dict[str, Any]:
        sampler = monitors.catalog.load(name)
        return {"about": _first_line(sampler), "metrics": [spec.name for spec in sampler.specs]}

    return _rows(monitors.catalog.names(), told)


def _formats() -> list[dict[str, Any]]:
    def told(name: str) -> dict[str, Any]:
        module = reports.catalog.load(name)
        return {"about": _first_line(module), "file": module.FILE}

    return _rows(reports.catalog.names(), told)


def _detectors() -> list[dict[str, Any]]:
    return _rows(
        monitors.detection.judge.names(), lambda name: {"about": _first_line(monitors.detection.judge.load(name))}
    )


def _first_line(documented: Any) -> str:
    return (documented.__doc__ or "").strip().partition("\n")[0]


def _rows(names: Iterable[str], told: Callable[[str], Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, **_contained(told, name)} for name in names]


def _contained(told: Callable[[str], Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """What is known of a plug-in; of one that cannot be loaded, what is wrong with it."""
    try:
        return told(name)
    except Exception as error:  # noqa: BLE001  (somebody else's file, which may fail in any way)
        return {"about": f"{type(error).__name__}: {error}"}


PLUGINS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "clients": _clients,
    "detectors": _detectors,
    "executions": _executions,
    "formats": _formats,
    "frameworks": _frameworks,
    "samplers": _samplers,
    "servers": _servers,
    "sources": _sources,
    "workloads": _workloads,
}
