"""Modules that are found by their names: the files of packages, and what third parties add through entry points.

Naming them imports none of them; loading one imports that one, which imports neither numpy nor a framework by itself.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

from workloads.needs import needs_of
from workloads.options import filled, make, nearest
from workloads.protocol.execution import Topology

_TITLES = {str: "a string", tuple: "a tuple", Mapping: "a mapping", Topology: "a Topology", float: "a float"}
_TYPES: dict[str, Any] = {
    **dict.fromkeys(("NAME", "AUTHORED_IN", "EXECUTED_BY", "ITEM", "READY", "TITLE"), str),
    **dict.fromkeys(("GPU_QUESTION", "CUDA_BUILD", "BLIND"), str),
    **dict.fromkeys(("FRAMEWORKS", "MODES", "SOURCES", "DEVICES", "EXECUTIONS", "PRECISIONS"), tuple),
    **dict.fromkeys(("TOLD", "VERSIONS", "CACHES", "CACHES_AT_HOME", "LAUNCHERS"), tuple),
    **dict.fromkeys(("REQUIRES", "LIBRARIES", "PROGRAMS", "DOSES", "VARIABLES"), Mapping),
    "TOPOLOGY": Topology,
    **dict.fromkeys(("TOLERANCE", "STEP"), float),
}
"""What a part of a module is, whatever kind of module has it; checked where it is there."""


class ModuleError(ValueError):
    """A module that does not exist, breaks its contract, or was given options it does not have."""


@dataclasses.dataclass(frozen=True)
class Modules:
    """One kind of modules."""

    kind: str
    """What one of them is called, for errors: workload, source."""
    packages: tuple[ModuleType, ...]
    """Every file of these is one."""
    group: str
    """Of entry points; each names a module."""
    parts: tuple[str, ...]
    """What each must define; where `Options` is one, it is a frozen dataclass."""
    error: type[ModuleError] = ModuleError

    def paths(self) -> dict[str, str]:
        """What to import, by name; sorted by it. A file of ours is never replaced by an entry point of its name."""
        own = {
            file.name: f"{package.__name__}.{file.name}"
            for package in self.packages
            for file in pkgutil.iter_modules(package.__path__)
        }
        return dict(sorted({**_foreign(self.group), **own}.items()))

    def load(self, name: str) -> Any:
        """The module of that name, held to the contract.

        Raises:
            ModuleError: there is none, it cannot be imported, or a part is missing or of another type.
        """
        paths = self.paths()
        if name not in paths:
            raise self.error(f"unknown {self.kind} {name!r}: {nearest(name, paths)}")
        path = paths[name]
        try:
            module = importlib.import_module(path)
        except Exception as error:  # somebody else's file may fail in any way
            said = f"cannot be imported: {type(error).__name__}: {error}"
            raise self.error(f"{self.kind} {name!r} ({path}) {said}") from error
        missing = [part for part in self.parts if not hasattr(module, part)]
        if missing:
            raise self.error(f"{self.kind} {name!r} ({module.__file__}) lacks {', '.join(missing)}")
        if "Options" in self.parts and not dataclasses.is_dataclass(module.Options):
            raise self.error(f"{self.kind} {name!r} ({module.__file__}): Options is not a dataclass")
        for part, expected in _TYPES.items():
            if hasattr(module, part) and not isinstance(found := getattr(module, part), expected):
                said = f"{part} is {found!r}, expected {_TITLES[expected]}"
                raise self.error(f"{self.kind} {name!r} ({module.__file__}): {said}")
        return module

    def usable(self) -> Mapping[str, Any]:
        """The modules of all that keep the contract, by name; asked for once."""
        return self._loaded[0]

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the others: told to who asks for one, and no reason to end what does not."""
        return self._loaded[1]

    @functools.cached_property
    def _loaded(self) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        found: dict[str, Any] = {}
        wrong: list[str] = []
        for name in self.paths():
            try:
                found[name] = self.load(name)
            except self.error as error:
                wrong.append(str(error))
        return found, tuple(wrong)

    def options_of(self, name: str, given: Mapping[str, Any]) -> Any:
        """Its `Options` with these values.

        Raises:
            ModuleError: as `load`, or an option it does not have, or a value that it cannot have.
        """
        kind = self.load(name).Options
        try:
            return make(kind, given)
        except ValueError as error:
            raise self.error(f"{self.kind} {name!r}: {error}") from error

    def describe(self, name: str, more: Callable[[Any], Mapping[str, Any]] = lambda module: {}) -> dict[str, Any]:
        """It, for people: purpose, what it requires and whether that is here, options with their defaults.

        Of one that cannot be used, what is wrong with it. more: what its kind tells besides.
        """
        try:
            module = self.load(name)
            told = {"name": name, "about": (module.__doc__ or "").strip().partition("\n")[0], **more(module)}
        except ModuleError as error:
            return {"name": name, "about": str(error), "requires": [], "installed": False, "install": []}
        needs = needs_of(module, module.Options() if hasattr(module, "requires") else None)
        told |= {"requires": needs.names, "installed": not any(needs.lacks())}
        told["install"] = [*needs.install, *filter(None, [needs.missing()])]
        return {**told, "options": filled(module.Options, {})} if "Options" in self.parts else told


@functools.cache  # every installed distribution is looked into: milliseconds
def _foreign(group: str) -> dict[str, str]:
    return {point.name: point.module for point in entry_points(group=group)}
