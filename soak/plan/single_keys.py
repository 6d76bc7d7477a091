"""Values of single keys of a config, checked as no type can say it. Every error names file, key and value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from monitors.text import HIDDEN
from soak.environments import EnvironmentNameError, interpreter_of
from soak.errors import ConfigError, missing_key
from soak.gpu import placement

MOST_VALUE = 100_000
"""Characters of an environment variable."""


def check_probes(path: Path, key: str, table: object) -> None:
    """Said here, as of a type that is one of several only the last would be named."""
    value = table.get("probes", True) if isinstance(table, dict) else True
    if not isinstance(value, bool) and value != "half":
        raise ConfigError(path, f"{key}.probes", value, 'expected true, false or "half"')


def check_environment(path: Path, key: str, env: Mapping[str, str]) -> None:
    """Names and values that a process can be given, and that are not what a record has in place of a secret."""
    for name, value in env.items():
        if not name or "=" in name or "\0" in name:
            raise missing_key(path, f"{key}.{name}", "expected a name of an environment variable, without = or NUL")
        if "\0" in value or len(value) > MOST_VALUE:
            expected = f"expected a value without NUL, of at most {MOST_VALUE:,} characters"
            raise missing_key(path, f"{key}.{name}", expected)
        if value == HIDDEN:
            expected = "expected the real value: records replace values that may be secret with this"
            raise ConfigError(path, f"{key}.{name}", value, expected)


def check_python(path: Path, key: str, value: str) -> None:
    """A path, or `env:` and the name of an environment that soak can build; whether it is there is asked later."""
    try:
        interpreter_of(value)
    except EnvironmentNameError as error:
        raise ConfigError(path, key, value, str(error)) from error


def check_wish(path: Path, key: str, value: str) -> None:
    """Of which devices there are to be: words that placement knows."""
    try:
        placement.words_of(value)
    except ValueError as error:
        raise ConfigError(path, key, value, str(error)) from error
