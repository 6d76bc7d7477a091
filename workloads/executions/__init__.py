"""How a network is run: one file, one execution, found by the name of its file.

In what a model is written and by what it is run are two axes. A file imports no framework by itself, as the supervisor
reads it; its docstring's first line says what it is, and it defines

- `NAME: str`: what a config calls it (`execution = "graph"`); one of a kind among those of its framework;
- `AUTHORED_IN: str`: the framework in which the networks that it takes are written (`framework = …`);
- `EXECUTED_BY: str`: the framework that runs them;
- `REQUIRES: Mapping[str, str]`: modules that must be importable, and what to install for each; with whatever else of
  the machine it needs, as `workloads.needs` says;
- `MODES: tuple[str, ...]`, of train and infer;
- `TOPOLOGY: Topology`: the processes that a trial is made of, where its config does not say: one, ranks, or roles;
- `make_step(network: Network, setup: Setup) -> Step`: see `workloads.protocol.execution`;
- where networks must be made within something, such as the scope of a strategy, `scope(setup)`: a context manager, made
  before the framework has run any operation, within which the network and its steps are made;
- where it does not run on every device, `DEVICES: tuple[str, ...]`, of cpu and cuda;
- where it does not compute in every precision, `PRECISIONS: tuple[str, ...]`, of float32 and bfloat16;
- where what runs is seen by none of the readers of `workloads.operators`, `operators(network: Network, setup: Setup,
  shape: tuple[int, ...]) -> list[tuple[str, str]]`: layer and operator of an answer to a clip of that shape, in order;
- where it rounds more coarsely than sums in another order do, `TOLERANCE: float`: how far its outputs may be from those
  of the default execution of PyTorch, as a part of the largest value;
- where it rounds features to steps whose size does not depend on how small they are, `STEP: float`: that size.

What several of them share (exporting, converting, a program for each shape) is in `workloads.conversion`.

Other packages add their own through the entry-point group `soak.executions`.
"""

from __future__ import annotations

import contextlib
import difflib
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from workloads.modules import ModuleError, Modules
from workloads.networks.architecture import PRECISIONS, REFERENCE_TOLERANCE

if TYPE_CHECKING:
    from workloads.protocol.contract import Setup

DEVICES = ("cpu", "cuda")
DEFAULT = "eager"
"""What a trial runs in that names none."""
TOLERANCE = 2e-5
"""Largest difference of outputs in float32, as a part of the largest value: sums are taken in another order."""
_PARTS = ("NAME", "AUTHORED_IN", "EXECUTED_BY", "REQUIRES", "MODES", "TOPOLOGY", "make_step")
_EXECUTIONS = Modules("execution", (sys.modules[__name__],), "soak.executions", _PARTS)


def names() -> tuple[str, ...]:
    """The files of all, sorted: `torch_eager`, …"""
    return tuple(_EXECUTIONS.paths())


def load(name: str) -> Any:
    """The module of that file.

    Raises:
        ModuleError: there is none, or a part is missing.
    """
    return _EXECUTIONS.load(name)


def of(framework: str) -> dict[str, Any]:
    """The executions of networks written in a framework, by their names in a config, the default first."""
    found: dict[str, Any] = {}
    # Nobody else's takes the name of one of ours.
    for module in sorted(_EXECUTIONS.usable().values(), key=lambda each: not each.__name__.startswith(__name__)):
        if framework == module.AUTHORED_IN:
            found.setdefault(module.NAME, module)
    return dict(sorted(found.items(), key=lambda item: (item[0] != DEFAULT, item[0])))


def problems() -> tuple[str, ...]:
    """What is wrong with those that break their contract, or have the name of another; no config finds them."""
    wrong = list(_EXECUTIONS.problems())
    for name, module in _EXECUTIONS.usable().items():
        other = of(module.AUTHORED_IN)[module.NAME]
        if other is not module:
            taken = f"{other.__name__} is the execution {module.NAME!r} of {module.AUTHORED_IN} already"
            wrong.append(f"execution {name!r} ({module.__file__}): {taken}")
    return tuple(wrong)


def find(framework: str, execution: str) -> Any:
    """The module of that execution of networks written in that framework.

    Raises:
        ModuleError: there is none; it names those that there are, and the nearest.
    """
    known = of(framework)
    if execution not in known:
        raise ModuleError(f"unknown execution {execution!r} of {framework}: {expected(framework, execution)}")
    return known[execution]


def expected(framework: str, execution: str) -> str:
    """What there is in its place, for an error: all, the nearest name, and what kept others out."""
    known = of(framework)
    near = difflib.get_close_matches(execution, known, 1)
    hint = f", did you mean {near[0]!r}?" if near else ""
    return "; ".join((f"expected {' or '.join(known) or 'none'} for {framework}{hint}", *problems()))


def devices_of(module: Any) -> tuple[str, ...]:
    """The devices that an execution runs on: all, where it does not say."""
    return tuple(getattr(module, "DEVICES", DEVICES))


def precisions_of(module: Any) -> tuple[str, ...]:
    """The precisions that an execution computes in: all, where it does not say."""
    return tuple(getattr(module, "PRECISIONS", PRECISIONS))


def tolerance_of(module: Any) -> float:
    """How far its outputs in float32 may be from those of PyTorch's default, as a part of the largest value."""
    return float(getattr(module, "TOLERANCE", TOLERANCE))


def step_of(module: Any) -> float:
    """The steps that it rounds features to: 0, where it does not say."""
    return float(getattr(module, "STEP", 0.0))


def answers_within(module: Any, precision: str) -> float:
    """How far its first answer in that precision may be from the right one, as a part of the largest value."""
    return max(tolerance_of(module), REFERENCE_TOLERANCE.get(precision, 0.0))


def scope_of(module: Any, setup: Setup) -> AbstractContextManager[Any]:
    """That within which it wants networks made."""
    scope: AbstractContextManager[Any] = getattr(module, "scope", contextlib.nullcontext)(setup)
    return scope


def taken_by(workload: Any, framework: str) -> tuple[str, ...]:
    """The executions of a framework that a workload's module runs in: all, where it does not say."""
    named: tuple[str, ...] | None = getattr(workload, "EXECUTIONS", None)
    return tuple(name for name in of(framework) if named is None or name in named)


def describe(name: str) -> dict[str, Any]:
    """Name, frameworks, modes, what it requires, and whether that is here, for people; or what is wrong with it."""
    told = _EXECUTIONS.describe(name, _told)
    return {**told, "framework": told.get("framework", "")}


def _told(module: Any) -> dict[str, Any]:
    return {
        "name": module.NAME,
        "framework": module.AUTHORED_IN,
        "executed_by": module.EXECUTED_BY,
        "modes": list(module.MODES),
        "devices": list(devices_of(module)),
        "precisions": list(precisions_of(module)),
        "tolerance": tolerance_of(module),
        "ranks": module.TOPOLOGY.ranks,
    }
