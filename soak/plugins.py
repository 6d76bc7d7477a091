"""What `soak list` can list: the kinds of plug-ins, each described without importing a framework."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import monitors.catalog
import monitors.detection.judge
import reports.catalog
import workloads.catalog
import workloads.server_catalog
import workloads.sources
from workloads import executions, frameworks


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


def _samplers() -> list[dict[str, Any]]:
    rows = []
    for name in monitors.catalog.names():
        sampler = monitors.catalog.load(name)
        rows.append({"name": name, "metrics": [spec.name for spec in sampler.specs]})
    return rows


def _formats() -> list[dict[str, Any]]:
    rows = []
    for name in reports.catalog.names():
        module = reports.catalog.load(name)
        about = (module.__doc__ or "").strip().partition("\n")[0]
        rows.append({"name": name, "about": about, "file": module.FILE})
    return rows


def _detectors() -> list[dict[str, Any]]:
    rows = []
    for name in monitors.detection.judge.names():
        about = (monitors.detection.judge.load(name).__doc__ or "").strip().partition("\n")[0]
        rows.append({"name": name, "about": about})
    return rows


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
