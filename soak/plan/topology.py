"""The processes of a trial of a workload or a command: one, its ranks, or those that its execution is made of. Pure."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

from soak.errors import ConfigError
from soak.plan.config_tables import TrialTable
from soak.plan.member import Member, cluster_of, ranks_of
from soak.plan.member_table import check_devices, check_named
from workloads import catalog, executions
from workloads.modules import ModuleError
from workloads.protocol.execution import SINGLE, Topology
from workloads.protocol.order import TrialSpec

ANYWHERE = "auto"


def topology_of(table: TrialTable, spec: TrialSpec) -> Topology:
    """That of the execution; a command is one process."""
    topology: Topology = SINGLE if table.command else executions.find(spec.framework, spec.execution).TOPOLOGY
    return topology


def ranks(path: Path, key: str, table: TrialTable, spec: TrialSpec, device: str) -> int:
    """How many processes the trial has.

    Args:
        path, key: where the table stands.
        table: the trial.
        spec: its order.
        device: where it runs.

    Raises:
        ConfigError: the execution is made of more, or its devices cannot be shared out to so many.
    """
    topology = topology_of(table, spec)
    count = table.ranks if table.ranks > 1 else topology.ranks
    if count < topology.fewest:
        roles = ", ".join(topology.roles_of(topology.fewest))
        raise ConfigError(
            path, f"{key}.ranks", count, f"expected {topology.fewest} or more with {spec.execution!r}: {roles}"
        )
    if count != table.ranks:
        check_devices(path, key, table.devices, 0, count)
        if not isinstance(table.devices, list):
            each = 1 if table.devices is None else table.devices
            check_named(path, f"{key}.device" if table.device else "run.device", device, [each] * count)
    return count


def devices_of_each(table: TrialTable, spec: TrialSpec, count: int, device: str) -> int:
    """The GPUs that each process gets where the trial gets any; none where its execution or workload can use none."""
    if isinstance(table.devices, list):
        return len(table.devices) // count
    if table.devices is not None:
        return table.devices
    return 1 if device != ANYWHERE or table.command or _may_use_a_gpu(spec) else 0


def _may_use_a_gpu(spec: TrialSpec) -> bool:
    with contextlib.suppress(ModuleError):  # a workload that there is not: who checks the plan says so
        if "cuda" not in catalog.devices_of(catalog.load(spec.workload, spec.folder)):
            return False
    return "cuda" in executions.devices_of(executions.find(spec.framework, spec.execution))


def arranged(sole: Member, table: TrialTable, spec: TrialSpec, count: int) -> tuple[Member, ...]:
    """The members of the trial. sole: what it would be as one process."""
    if count == 1:
        return (sole,)
    if sole.spec is not None:
        sole = replace(sole, spec=replace(sole.spec, duration=None))
    topology = topology_of(table, spec)
    if not topology.roles:
        return ranks_of(sole, count)
    return cluster_of(sole, topology.roles_of(count), _server(topology, sole.python, spec.threads))


def _server(topology: Topology, python: str, threads: int) -> tuple[str, ...]:
    """The command of a process that serves: its program is a file, and needs nothing of soak."""
    found = importlib.util.find_spec(topology.server)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(topology.server)
    return (python or sys.executable, "-P", found.origin, "--threads", str(threads))
