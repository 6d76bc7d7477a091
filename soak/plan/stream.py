"""`[stream]` and what a trial sets of it → the source of that trial, its options checked. Imports no numpy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from soak.errors import ConfigError
from workloads import catalog, sources
from workloads.modules import ModuleError
from workloads.options import OptionError
from workloads.protocol.order import StreamSpec


def stream_of(path: Path, key: str, shared: object, own: Mapping[str, Any], workload: str) -> StreamSpec:
    """The source of a trial: its own table over the shared one, where both are for the same source.

    Args:
        path: of the config.
        key: where the trial's own table stands.
        shared: `[stream]`; where it names no source it is for the default one.
        own: the trial's table.
        workload: which says what source it takes where neither table does.

    Raises:
        ConfigError: there is no such source, or an option that it does not have or cannot have.
    """
    if not isinstance(shared, dict):
        raise ConfigError(path, "stream", shared, "expected a table")
    of_all = _name(path, "stream", shared, sources.DEFAULT if shared else "")
    name = _name(path, key, own, of_all or _usual(workload))
    options = {**(shared if name == of_all else {}), **own}
    options.pop("source", None)
    try:
        return sources.spec_of(name, options)
    except OptionError as error:
        where = f"{key if error.key in own else 'stream'}.{error.key}"
        raise ConfigError(path, where, error.value, f"{error.expected} (source {name!r})") from error
    except ModuleError as error:
        raise ConfigError(path, f"{key if 'source' in own else 'stream'}.source", name, str(error)) from error


def _name(path: Path, key: str, table: Mapping[str, Any], otherwise: str) -> str:
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
