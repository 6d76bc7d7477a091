"""Environments of their own, for trials whose packages do not fit beside soak's: `python = "env:NAME"` in a config.

Each comes with soak as files that pip and npm read themselves: `NAME.txt` (pinned requirements, whose first line says
what it is for), `NAME.no-deps.txt` (packages whose own requirements would break the others), `NAME.package.json` (for
Node.js). `soak env NAME` builds one. Standard library alone.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

PREFIX = "env:"
"""Before the name of an environment, in place of the path of an interpreter."""
VARIABLE = "SOAK_ENVIRONMENTS"
"""Names the folder of all environments."""
STAMP = "soak-environment.json"
"""Written last: a folder without it was not built to the end."""
_HERE = Path(__file__).parent
_TXT, _NO_DEPS, _NODE = ".txt", ".no-deps.txt", ".package.json"

State = Literal["ready", "outdated", "unfinished", "absent"]


class EnvironmentNameError(ValueError):
    """There is no environment of that name; it names those that there are, and the nearest."""


@dataclass(frozen=True)
class Environment:
    """One environment: what it is made of, and where it is or would be."""

    name: str
    folder: Path

    @property
    def requirements(self) -> Path | None:
        """What pip installs together with all that it asks for."""
        return _existing(self.name + _TXT)

    @property
    def without_dependencies(self) -> Path | None:
        """What pip installs afterwards, and nothing that it asks for."""
        return _existing(self.name + _NO_DEPS)

    @property
    def node_package(self) -> Path | None:
        """What npm installs."""
        return _existing(self.name + _NODE)

    @property
    def files(self) -> tuple[Path, ...]:
        """All that it is made of."""
        parts = (self.requirements, self.without_dependencies, self.node_package)
        return tuple(part for part in parts if part is not None)

    @cached_property
    def about(self) -> str:
        """What it is for, in a sentence."""
        if self.requirements is not None:
            return self.requirements.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        text = self.node_package.read_text(encoding="utf-8") if self.node_package else "{}"
        return str(json.loads(text).get("description", ""))

    @property
    def python(self) -> Path:
        """Its interpreter; of one of Node.js alone there is none."""
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> Path:
        """What says that it was built to the end, and from what."""
        return self.folder / STAMP

    @property
    def made_of(self) -> str:
        """A digest of its files: another one needs to be built again."""
        import hashlib  # brings OpenSSL, which a supervisor does without

        digest = hashlib.sha256()
        for file in self.files:
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
        return digest.hexdigest()

    @property
    def state(self) -> State:
        """Whether it can be used. One that is outdated can: it holds other versions than this soak would install."""
        try:
            told = json.loads(self.stamp.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return "unfinished" if self.folder.is_dir() and any(self.folder.iterdir()) else "absent"
        except (OSError, ValueError):
            return "unfinished"
        return "ready" if isinstance(told, dict) and told.get("made_of") == self.made_of else "outdated"


def _existing(name: str) -> Path | None:
    path = _HERE / name
    return path if path.exists() else None


def root(environ: Mapping[str, str] | None = None) -> Path:
    """The folder of all environments."""
    given = os.environ if environ is None else environ
    if said := given.get(VARIABLE):
        return Path(said).expanduser().absolute()
    data = given.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser().absolute() / "soak" / "environments"


def names() -> tuple[str, ...]:
    """Every environment that soak can build, sorted."""
    files = (path.name for path in _HERE.iterdir() if path.name.endswith((_TXT, _NODE)))
    return tuple(sorted({name.removesuffix(_NO_DEPS).removesuffix(_TXT).removesuffix(_NODE) for name in files}))


def find(name: str, environ: Mapping[str, str] | None = None) -> Environment:
    """The environment of that name.

    Raises:
        EnvironmentNameError: there is none.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), 1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        raise EnvironmentNameError(f"unknown environment {name!r}: expected {' or '.join(names())}{hint}")
    return Environment(name, root(environ) / name)


def interpreter_of(python: str) -> str:
    """The path of the interpreter that `python` of a config names; itself where it names no environment.

    Raises:
        EnvironmentNameError: it names an environment that there is not, or one without Python.
    """
    if not python.startswith(PREFIX):
        return python
    found = find(python.removeprefix(PREFIX))
    if found.requirements is None:
        raise EnvironmentNameError(f"environment {found.name!r} holds packages of Node.js, and no Python")
    return str(found.python)


def holding(package: str) -> tuple[str, ...]:
    """The environments that have a package of pip among those that are named for it."""
    wanted = _plain(package)
    return tuple(name for name in names() if wanted and wanted in _packages(find(name)))


def _packages(environment: Environment) -> set[str]:
    files = filter(None, (environment.requirements, environment.without_dependencies))
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return {_plain(line.partition("==")[0]) for line in lines if "==" in line and not line.startswith("#")}


def _plain(package: str) -> str:
    """As package indexes compare names."""
    return package.strip().lower().replace("_", "-").replace(".", "-")


def advice_of(package: str, python: str) -> str:
    """Which environment would have a package that an interpreter lacks, and how to use it; empty where none would.

    package: of pip; empty for none. python: the interpreter; empty for soak's own.
    """
    held = holding(package)
    own = next((name for name in held if str(find(name).python) == python), "")
    if own:
        return f"`soak env {own} --rebuild` installs it"
    return f'`soak env {held[0]}` builds one that has it, for python = "{PREFIX}{held[0]}"' if held else ""


def hint_of(python: str) -> str:
    """How to build the environment that this path is the interpreter of; empty where it is of none."""
    built = (find(name) for name in names())
    return next((f"run `soak env {each.name}` first" for each in built if str(each.python) == python), "")
