"""Which servers under test come with soak: the files of `workloads/servers/`, and the entry points of `soak.servers`.

One file is one server. Its module imports nothing but the standard library at its top, has a docstring whose first
line says what it is, and defines

- `Options`: a frozen dataclass of its options, each with a default and a docstring line;
- `command(options: Options) -> list[str]`: the arguments that start it, in which `{port}` stands for the port of
  127.0.0.1 that it is to listen on;
- `READY: str`: when it serves: `port`, once that port is open, or the path of a URL that then answers;
- where it needs anything, what `workloads.needs` says.

`{port:NAME}` in the arguments stands for a further port. Where the first argument is `sys.executable`, the `python` of
a config stands in its place.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workloads import servers
from workloads.modules import ModuleError, Modules
from workloads.needs import Needs, needs_of

GROUP = "soak.servers"


class ServerError(ModuleError):
    """A server that does not exist, breaks the contract, or was given options it does not have."""


_SERVERS = Modules("server", (servers,), GROUP, ("READY", "Options", "command"), ServerError)


@dataclass(frozen=True, slots=True)
class Start:
    """How a server is started. In both, `{port}` stands for the port that it is to listen on."""

    command: tuple[str, ...]
    ready: str
    """`port`, or the URL that answers once it serves."""
    requires: Needs = field(default_factory=Needs)
    """Of the interpreter that runs it, and of the machine."""


def names() -> tuple[str, ...]:
    """Every server, sorted."""
    return tuple(_SERVERS.paths())


def load(name: str) -> Any:
    """The module of that server.

    Raises:
        ServerError: there is none, it cannot be imported, a part is missing, or `READY` is neither.
    """
    module = _SERVERS.load(name)
    if module.READY != "port" and not module.READY.startswith("/"):
        raise ServerError(f"server {name!r} ({module.__file__}): READY = {module.READY!r}: expected port, or a path")
    return module


def start_of(name: str, given: Mapping[str, Any], python: str = "") -> Start:
    """How that server is started with these options. Whether what it needs is there is not asked here.

    python: the interpreter that runs it; empty for soak's own.

    Raises:
        ServerError: there is none, it breaks the contract, or an option is wrong.
    """
    module, options = load(name), _SERVERS.options_of(name, given)
    ready = module.READY if module.READY == "port" else f"http://127.0.0.1:{{port}}{module.READY}"
    first, *others = module.command(options)
    command = (python if python and first == sys.executable else first, *others)
    return Start(command, ready, needs_of(module, options))


def describe(name: str) -> dict[str, Any]:
    """Name, purpose, when it is ready, requirements and options of a server, for people."""
    return _SERVERS.describe(name, lambda module: {"ready": module.READY})
