"""How a network is run: one file, one execution, found by the name of its file.

In what a model is written and by what it is run are two axes. A file imports no framework by itself, as the supervisor
reads it; its docstring's first line says what it is, and it defines

- `NAME: str`: what a config calls it (`execution = "graph"`); one of a kind among those of its framework;
- `AUTHORED_IN: str`: the framework in which the networks that it takes are written (`framework = …`);
- `EXECUTED_BY: str`: the framework that runs them;
- `REQUIRES: tuple[str, ...]`: modules that must be importable;
- `MODES: tuple[str, ...]`, of train and infer;
- `TOPOLOGY: Topology`: the processes that a trial is made of;
- `make_step(network: Network, setup: Setup) -> Step`: see `workloads.protocol.execution`.

Other packages add their own through the entry-point group `soak.executions`.
"""

from __future__ import annotations

import difflib
import functools
import sys
from typing import Any

from workloads.registry import PluginError, Registry, missing_of

DEFAULT = "eager"
"""What a trial runs in that names none."""
_PARTS = ("NAME", "AUTHORED_IN", "EXECUTED_BY", "REQUIRES", "MODES", "TOPOLOGY", "make_step")
_REGISTRY = Registry("execution", (sys.modules[__name__],), "soak.executions", _PARTS)


def names() -> tuple[str, ...]:
    """The files of all, sorted: `torch_eager`, …"""
    return _REGISTRY.names()


def load(name: str) -> Any:
    """The module of that file.

    Raises:
        PluginError: there is none, or a part is missing.
    """
    return _REGISTRY.load(name)


def of(framework: str) -> dict[str, Any]:
    """The executions of networks written in a framework, by their names in a config, the default first."""
    found = [module for module in _loaded()[0] if framework == module.AUTHORED_IN]
    return {module.NAME: module for module in sorted(found, key=lambda each: (each.NAME != DEFAULT, each.NAME))}


def problems() -> tuple[str, ...]:
    """What is wrong with those that break their contract, or have the name of another; no config finds them."""
    return _loaded()[1]


def find(framework: str, execution: str) -> Any:
    """The module of that execution of networks written in that framework.

    Raises:
        PluginError: there is none; it names those that there are, and the nearest.
    """
    known = of(framework)
    if execution not in known:
        raise PluginError(f"unknown execution {execution!r} of {framework}: {expected(framework, execution)}")
    return known[execution]


def expected(framework: str, execution: str) -> str:
    """What there is in its place, for an error: all, the nearest name, and what kept others out."""
    known = of(framework)
    near = difflib.get_close_matches(execution, known, 1)
    hint = f", did you mean {near[0]!r}?" if near else ""
    return "; ".join((f"expected {' or '.join(known) or 'none'} for {framework}{hint}", *problems()))


@functools.cache
def _loaded() -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """All that keep their contract, and what is wrong with the others."""
    found: dict[tuple[str, str], Any] = {}
    wrong: list[str] = []
    for name in names():
        try:
            module = load(name)
        except PluginError as error:
            wrong.append(str(error))
            continue
        other = found.setdefault((module.AUTHORED_IN, module.NAME), module)
        if other is not module:
            taken = f"{module.AUTHORED_IN} has an execution {module.NAME!r} already, {other.__name__}"
            wrong.append(f"execution {name!r}: {taken}")
    return tuple(found.values()), tuple(wrong)


def describe(name: str) -> dict[str, Any]:
    """Name, frameworks, modes, what it requires, and whether that is here, for people."""
    module = load(name)
    return {
        "name": module.NAME,
        "about": (module.__doc__ or "").strip().partition("\n")[0],
        "framework": module.AUTHORED_IN,
        "executed_by": module.EXECUTED_BY,
        "modes": list(module.MODES),
        "ranks": module.TOPOLOGY.ranks,
        "requires": list(module.REQUIRES),
        "installed": not missing_of(module.REQUIRES),
    }
