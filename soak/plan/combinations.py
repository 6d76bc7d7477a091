"""The frameworks, modes and executions that a trial table asks for, held to those that there are."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Protocol

from soak.errors import ConfigError
from soak.plan.config import as_tuple
from workloads import executions, frameworks


class Asking(Protocol):
    """A table that names frameworks, modes and executions, each by itself or in a list."""

    @property
    def framework(self) -> Sequence[str] | str:
        """In which the model is written: of `workloads.frameworks`."""

    @property
    def mode(self) -> Sequence[str] | str:
        """train or infer."""

    @property
    def execution(self) -> Sequence[str] | str:
        """How it is run: of `workloads.executions`."""


def combinations(path: Path, key: str, table: Asking) -> list[tuple[str, str, str]]:
    """Every framework, mode and execution of a table; `key` is where it stands.

    A list of executions is asked of every framework: those that it does not have are left out, if it has one.

    Raises:
        ConfigError: there is no such framework or execution, or a framework has none of the executions or modes.
    """
    modes = as_tuple(table.mode)
    found: list[tuple[str, str, str]] = []
    for framework in _frameworks(path, f"{key}.framework", table):
        wanted = _executions(path, f"{key}.execution", table, framework)
        for execution in wanted:
            has = executions.find(framework, execution).MODES
            if wrong := [mode for mode in modes if mode not in has]:
                expected = f"expected {' or '.join(has)} with execution {execution!r} of {framework}"
                raise ConfigError(path, f"{key}.mode", wrong[0], expected)
        found += list(product((framework,), modes, wanted))
    return found


def _frameworks(path: Path, key: str, table: Asking) -> tuple[str, ...]:
    known = frameworks.authored()
    wanted = as_tuple(table.framework)
    for number, name in enumerate(wanted):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            where = f"{key}[{number}]" if isinstance(table.framework, list) else key
            raise ConfigError(path, where, name, f"expected {' or '.join(known)}{hint}")
    return wanted


def _executions(path: Path, key: str, table: Asking, framework: str) -> list[str]:
    known = executions.of(framework)
    wanted = as_tuple(table.execution)
    everywhere = {name for each in frameworks.authored() for name in executions.of(each)}
    unknown = [name for name in wanted if name not in everywhere]
    found = [name for name in wanted if name in known]
    if unknown or not found:
        wrong = (unknown or list(wanted))[0] if wanted else ""
        raise ConfigError(path, key, table.execution, executions.expected(framework, wrong))
    return found
