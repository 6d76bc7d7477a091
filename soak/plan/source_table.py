"""`stream` of a config: which source a workload takes, with which options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from soak.errors import ConfigError
from workloads import catalog, sources
from workloads.modules import ModuleError
from workloads.options import OptionError
from workloads.protocol.order import StreamSpec


def source_of(path: Path, key: str, shared: object, own_table: Mapping[str, Any], workload: str) -> StreamSpec:
    """The source of a workload: its own table over the shared one, where that is for the same source.

    Args:
        path: of the config.
        key: where the workload's own table stands.
        shared: `[stream]`.
        own_table: its own.
        workload: what takes it.

    Raises:
        ConfigError: there is no such source, or one of its options is wrong.
    """
    own = f"{key}.stream"
    if not isinstance(shared, dict):
        raise ConfigError(path, "stream", shared, "expected a table")
    shared_name = _source(path, "stream", shared, sources.DEFAULT if shared else "")
    name = _source(path, own, own_table, shared_name or _usual(workload))
    options = {**(shared if name == shared_name else {}), **own_table}
    options.pop("source", None)
    try:
        return sources.spec_of(name, options)
    except OptionError as error:
        key = f"{own if error.key in own_table else 'stream'}.{error.key}"
        raise ConfigError(path, key, error.value, f"{error.expected} (source {name!r})") from error
    except ModuleError as error:
        raise ConfigError(path, f"{own if own_table else 'stream'}.source", name, str(error)) from error


def _source(path: Path, key: str, table: Mapping[str, Any], otherwise: str) -> str:
    name = table.get("source", otherwise)
    if not isinstance(name, str):
        raise ConfigError(path, f"{key}.source", name, "expected the name of a source; see `soak list sources`")
    return name


def _usual(workload: str) -> str:
    """The source of a workload where no table names one. A user's own code needs none."""
    if catalog.is_users(workload):
        return "none"
    try:
        taken = catalog.sources_of(catalog.load(workload))
    except ModuleError:
        return sources.DEFAULT  # what is wrong is said before anything starts, with the trial's name
    return sources.DEFAULT if sources.DEFAULT in taken else taken[0]
