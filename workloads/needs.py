"""What a plug-in needs of its interpreter and of the machine, and which of it is not there, with what to do.

Workloads, clients, servers, sources, frameworks and executions all say it in the same words, each where it needs to:

- `REQUIRES: Mapping[str, str]`: modules that the interpreter must have that runs it, and what pip installs for each;
- `requires(options) -> Mapping[str, str]`: more of these, by its options;
- `LIBRARIES: Mapping[str, str]`: shared libraries (`avcodec`), and the package of the system that has each;
- `PROGRAMS: Mapping[str, str]`: programs that are found on the PATH, and the package of the system that has each;
- `missing() -> str`: what else is not there, such as a version that is new enough, with what to do; empty for nothing.

`soak check`, `soak list`, `soak doctor` and the worker ask here. Nothing is imported for it.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import importlib.util
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


class NeedsError(RuntimeError):
    """Something that a plug-in needs is not there; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Lack:
    """One thing that is not there."""

    said: str
    """What it is."""
    advice: str = ""
    """What to do; empty where what is said says it."""
    package: str = ""
    """What pip would install; empty for what is no module."""

    def __str__(self) -> str:
        return f"{self.said}: {self.advice}" if self.advice else self.said


@dataclass(frozen=True, slots=True)
class Needs:
    """Of one plug-in, with its options."""

    modules: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    missing: Callable[[], str] = str

    @property
    def names(self) -> list[str]:
        """Of all that has a name."""
        return [*self.modules, *map(library_file, self.libraries), *self.programs]

    @property
    def install(self) -> list[str]:
        """What to install for them, whether or not it is there: packages of pip, and commands for the system's."""
        return [*self.modules.values(), *map(_apt, (*self.libraries.values(), *self.programs.values()))]

    def lacks(
        self, has: Callable[[str], bool] | None = None, python: str = "", path: str | None = None
    ) -> Iterator[Lack]:
        """What of it is not there.

        Args:
            has: whether the interpreter that runs it has a module; this one is asked where it is left out.
            python: that interpreter, if it is another: shared libraries are not looked for then, as it may have its
                own, such as Conda's.
            path: where programs are looked for; the PATH of this process where it is left out.
        """
        for name, package in self.modules.items():
            if not (has or has_module)(name):
                place = python or sys.executable
                advice = f"pip install '{package}', or name another `python`"
                yield Lack(f"it needs {name}, which is not installed in {place}", advice, package)
        if not python:
            yield from _libraries(self.libraries)
        for name, package in self.programs.items():
            if shutil.which(name, path=path) is None:
                yield Lack(f"it needs the program {name}, which is not on the PATH", _apt(package))
        if said := self.missing():
            yield Lack(said)


def needs_of(module: Any, options: object = None) -> Needs:
    """What a plug-in needs. options: its own, where they are known."""
    more = getattr(module, "requires", None)
    return Needs(
        {**getattr(module, "REQUIRES", {}), **(more(options) if more and options is not None else {})},
        getattr(module, "LIBRARIES", {}), getattr(module, "PROGRAMS", {}), getattr(module, "missing", str),
    )  # fmt: skip


def hold(name: str, needs: Needs) -> None:
    """See that all is there, in the process that runs the plug-in.

    Shared libraries are left to who loads them: the loader has its own ways to find them.

    Raises:
        NeedsError: the first of what is not. name: of the plug-in, such as "workload 'generate'".
    """
    for lack in needs.lacks(python=sys.executable):
        raise NeedsError(f"{name}: {lack}")


def has_module(name: str) -> bool:
    """Whether this interpreter has a module; it is not imported."""
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # of a.b, a is not there
        return False


def missing_of(modules: Iterable[str]) -> list[str]:
    """Those of these modules that are not installed here; none is imported."""
    return [name for name in modules if not has_module(name)]


def installed_versions(modules: Mapping[str, str]) -> dict[str, str]:
    """The versions of those of these modules that are installed here, whether or not anything imports them later.

    Args:
        modules: as `REQUIRES`: what each comes from, for pip. Of an extra of another package that says nothing.
    """
    told = {name: _version(name, package) for name, package in modules.items()}
    return {name: version for name, version in told.items() if version}


def _version(module: str, package: str) -> str:
    """Of the package by the module's name, or by what pip is told; or what the module says of itself."""
    from importlib import metadata  # brings parsers of mail, which a supervisor that reads this does without

    asked = "" if "[" in package else re.split(r"[^\w.-]", package)[0]
    for name in filter(None, (module, asked)):
        with contextlib.suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    version = getattr(sys.modules.get(module), "__version__", "")
    return version if isinstance(version, str) else ""


def library_file(name: str) -> str:
    """The file of a shared library, as people know it."""
    return f"lib{name}.so"


def _libraries(libraries: Mapping[str, str]) -> Iterator[Lack]:
    """Those that the loader does not find here; none is loaded."""
    for name, package in libraries.items():
        if ctypes.util.find_library(name) is None:
            yield Lack(f"it needs the shared library {library_file(name)}, which is not installed", _apt(package))


def _apt(package: str) -> str:
    return f"apt install {package}"
