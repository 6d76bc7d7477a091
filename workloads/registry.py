"""Modules found by their names: the files of some packages, and the entry points of a group.

Naming them imports none of them; loading one imports that one, which never imports a framework by itself.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any


class PluginError(ValueError):
    """A module that does not exist or breaks its contract. Names it and says what was expected."""


@dataclass(frozen=True)
class Registry:
    """One kind of module."""

    kind: str
    """What one of them is called, for errors: `execution`."""
    packages: tuple[ModuleType, ...]
    """Where each file is one of them."""
    group: str
    """The entry-point group in which other distributions name theirs."""
    parts: tuple[str, ...]
    """What each of them defines."""

    def names(self) -> tuple[str, ...]:
        """All of them, sorted."""
        return tuple(sorted(self._paths))

    def load(self, name: str) -> Any:
        """The module of that name, held to its contract.

        Raises:
            PluginError: there is none, it cannot be imported, or a part is missing.
        """
        if name not in self._paths:
            raise PluginError(f"unknown {self.kind} {name!r}: {nearest(name, self.names())}")
        path = self._paths[name]
        try:
            module = importlib.import_module(path)
        except ImportError as error:
            raise PluginError(f"{self.kind} {name!r} ({path}) cannot be imported: {error}") from error
        missing = [part for part in self.parts if not hasattr(module, part)]
        if missing:
            raise PluginError(f"{self.kind} {name!r} ({module.__file__}) lacks {', '.join(missing)}")
        return module

    def usable(self) -> Mapping[str, Any]:
        """The modules of all that keep their contract, by name."""
        return self._loaded[0]

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the others: told to who asks for one, and no reason to end what does not."""
        return self._loaded[1]

    @cached_property
    def _loaded(self) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        found: dict[str, Any] = {}
        wrong: list[str] = []
        for name in self.names():
            try:
                found[name] = self.load(name)
            except PluginError as error:
                wrong.append(str(error))
        return found, tuple(wrong)

    @cached_property  # every installed distribution is looked into: milliseconds
    def _paths(self) -> dict[str, str]:
        found = {point.name: point.module for point in entry_points(group=self.group)}
        return found | {
            file.name: f"{package.__name__}.{file.name}"
            for package in self.packages
            for file in pkgutil.iter_modules(package.__path__)
        }


def nearest(name: str, known: Iterable[str]) -> str:
    """What a wrong name may have been meant for."""
    known = list(known)
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known) or 'none'}"


def missing_of(modules: Sequence[str]) -> list[str]:
    """Those of these modules that are not installed here; none is imported."""
    return [name for name in modules if importlib.util.find_spec(name) is None]
