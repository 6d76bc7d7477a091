"""Which workloads there are: the files of four packages, and the entry points of the group `soak.workloads`.

Naming them imports none of them; loading one imports that one, which never imports a framework by itself.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import pkgutil
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from workloads import faults, growth, lookalikes, models

GROUP = "soak.workloads"
KINDS = (models, faults, lookalikes, growth)
DEVICES = ("cpu", "cuda")
_PARTS = ("FRAMEWORKS", "MODES", "Options", "build")


class WorkloadError(ValueError):
    """A workload that does not exist, breaks the contract, or was given options it does not have."""


def names() -> tuple[str, ...]:
    """Every workload, sorted."""
    return tuple(sorted(_own().keys() | _foreign().keys()))


def load(name: str) -> Any:
    """The module of that workload, held to the contract of `workloads.protocol.contract.Workload`.

    Raises:
        WorkloadError: there is none, it cannot be imported, or a part is missing.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(names())}"
        raise WorkloadError(f"unknown workload {name!r}: {hint}")
    path = {**_own(), **_foreign()}[name]
    try:
        module = importlib.import_module(path)
    except ImportError as error:
        raise WorkloadError(f"workload {name!r} ({path}) cannot be imported: {error}") from error
    missing = [part for part in _PARTS if not hasattr(module, part)]
    if missing:
        raise WorkloadError(f"workload {name!r} ({module.__file__}) lacks {', '.join(missing)}")
    if not dataclasses.is_dataclass(module.Options):
        raise WorkloadError(f"workload {name!r} ({module.__file__}): Options is no dataclass")
    return module


def options_of(name: str, given: Mapping[str, Any]) -> Any:
    """The workload's `Options` with these values.

    Raises:
        WorkloadError: an option it does not have (with the nearest it has), or a value of another type.
    """
    kind = load(name).Options
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for option, value in given.items():
        if option not in fields:
            near = difflib.get_close_matches(option, fields, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(fields) or 'none'}"
            raise WorkloadError(f"workload {name!r} has no option {option!r}: {hint}")
        default = fields[option].default
        if not _fits(value, default):
            raise WorkloadError(
                f"workload {name!r}: option {option} = {value!r}: expected {type(default).__name__} like {default!r}"
            )
    try:
        return kind(**given)
    except ValueError as error:
        raise WorkloadError(f"workload {name!r}: {error}") from error


def _fits(value: object, default: object) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))


def devices_of(module: Any) -> tuple[str, ...]:
    """The devices that a workload's module runs on: all, where it does not say."""
    return tuple(getattr(module, "DEVICES", DEVICES))


def describe(name: str) -> dict[str, Any]:
    """Name, purpose, frameworks, modes, devices and options of a workload, for people."""
    module = load(name)
    return {
        "name": name,
        "about": (module.__doc__ or "").strip().partition("\n")[0],
        "frameworks": list(module.FRAMEWORKS),
        "modes": list(module.MODES),
        "devices": list(devices_of(module)),
        "options": {field.name: field.default for field in dataclasses.fields(module.Options)},
    }


@functools.cache
def _own() -> dict[str, str]:
    return {file.name: f"{kind.__name__}.{file.name}" for kind in KINDS for file in pkgutil.iter_modules(kind.__path__)}


@functools.cache  # every installed distribution is looked into: milliseconds
def _foreign() -> dict[str, str]:
    return {point.name: point.module for point in entry_points(group=GROUP)}
