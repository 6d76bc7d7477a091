"""A callable of this process, by the name under which a fresh process finds it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from monitors.text import one_line
from soak.errors import UsageError

EXPECTED = (
    "expected a function, generator function or class at the top level of a module, as a fresh process imports it; "
    "a lambda, a method or anything defined in a function cannot be found there"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a fresh process finds it."""

    name: str
    """As a config's `workload`."""
    title: str
    """For people."""
    path: tuple[str, ...] = ()
    """Folders that its imports need."""


def reference_of(subject: Any) -> Reference:
    """The name of a callable.

    subject: the callable itself, or its name already.

    Raises:
        UsageError: no other process could find it.
    """
    if isinstance(subject, str):
        place, _, name = subject.rpartition(":")
        whole = f"{Path(place).absolute()}:{name}" if place.endswith(".py") else subject
        return Reference(whole, name, _import_path())
    name = getattr(subject, "__qualname__", "")
    module = sys.modules.get(getattr(subject, "__module__", None) or "")
    if not name or "<" in name or module is None or _found(module, name) is not subject:
        raise UsageError(f"soak.check: {one_line(name or repr(subject), 80)}: {EXPECTED}")
    return Reference(f"{_place_of(module, name)}:{name}", name, _import_path())


def _found(module: ModuleType, name: str) -> object:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _place_of(module: ModuleType, name: str) -> str:
    """Its file, or where its package can be imported, its module: within a file, imports relative to it would fail."""
    file = getattr(module, "__file__", None)
    if module.__name__ == "__main__" and file is None:
        where = "a notebook or at a prompt, where no fresh process finds it"
        expected = "expected one in a file (in a notebook, %%writefile writes a cell to one)"
        raise UsageError(f"soak.check: {name} is defined in {where}; {expected}")
    if file is None or not file.endswith(".py"):
        return module.__name__
    path = Path(file).absolute()
    parts = module.__name__.split(".")
    above = len(parts) - (path.name != "__init__.py")
    root = path.parents[above] if above < len(path.parents) else path.parent
    if len(parts) > 1 and str(root) in map(os.path.abspath, sys.path):
        return module.__name__
    return str(path)


def _import_path() -> tuple[str, ...]:
    """What this process can import from, but for what every process of its interpreter can."""
    own = {os.path.realpath(prefix) for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix)}
    folders = [os.path.abspath(folder) for folder in sys.path if not folder or os.path.isdir(folder)]  # noqa: PTH100,PTH112
    return tuple(
        folder for folder in folders if not any(os.path.realpath(folder).startswith(prefix + os.sep) for prefix in own)
    )
