"""What the command line replaces in the tables of a config, before they are checked."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from soak.errors import ConfigError, missing_key


def override(path: Path, raw: dict[str, Any], given: str) -> None:
    """Put in place what `--set` says: `key=value`, a dotted path and a TOML value.

    Raises:
        ConfigError: it says nothing, or leads below something that is no table.
    """
    key, equals, text = given.partition("=")
    if not equals or not key.strip():
        raise ConfigError("--set", given, text, "expected key=value, such as run.parallel=2")
    try:
        value = tomllib.loads(f"v = {text}")["v"]
    except (ValueError, RecursionError):
        value = text
    node: Any = raw
    *parents, last = key.strip().split(".")
    for part in parents:
        node = _descend(path, node, part, key)
    if not isinstance(node, dict):
        raise ConfigError(path, key, value, "--set: the part before the last dot is no table")
    node[last] = value


def _descend(path: Path, node: Any, part: str, key: str) -> Any:
    if isinstance(node, list):
        if not re.fullmatch("[0-9]{1,6}", part) or int(part) >= len(node):
            raise missing_key(path, key, f"--set: expected a number from 0 to {len(node) - 1} in place of {part!r}")
        return node[int(part)]
    if not isinstance(node, dict):
        raise missing_key(path, key, f"--set: {part!r} lies below something that is no table")
    return node.setdefault(part, {})


def limit_all(raw: dict[str, Any], duration: str) -> None:
    """One duration in place of every limit of every trial."""
    run = raw.setdefault("run", {})
    if isinstance(run, dict):
        run["duration"] = duration
    for trial in _trial_tables(raw):
        if isinstance(trial, dict):
            for key in ("duration", "stream_time", "steps"):
                trial.pop(key, None)


def place_all(raw: dict[str, Any], device: str) -> None:
    """One device in place of that of every trial."""
    run = raw.setdefault("run", {})
    if isinstance(run, dict):
        run["device"] = device
    for trial in _trial_tables(raw):
        if isinstance(trial, dict):
            trial.pop("device", None)
            if isinstance(trial.get("devices"), list):
                trial.pop("devices")


def _trial_tables(raw: dict[str, Any]) -> list[Any]:
    tables = raw.get("trial")
    return tables if isinstance(tables, list) else []
