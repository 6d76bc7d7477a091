"""Every request passes here first: by which host name it asks, how long its answer takes, what goes wrong within it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soak.service.connections import Connections


class Names:
    """The names that this service answers to. A page elsewhere can make a browser ask by another (DNS rebinding)."""

    def __init__(self, listen: str, given: Collection[str], hosts: Path = Path("/etc/hosts")) -> None:
        own = socket.gethostname().lower()
        self._known = {"localhost", listen.lower(), own, *(name.lower() for name in given), *_aliases(own, hosts)}

    def holds(self, host: str) -> bool:
        """Whether a Host header is one of them. A number is no name: no DNS can have made it lead here."""
        name = host.strip().lower()
        if name.startswith("["):
            name = name[1:].partition("]")[0].partition("%")[0]
        elif name.count(":") == 1:
            name = name.partition(":")[0]
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name.removesuffix(".") in self._known
        return True


class Middleware:
    """Every request passes here first."""

    def __init__(self, app: ASGIApp, connections: Connections, names: Names, say: Callable[[str], None]) -> None:
        """Before the application; `say` is told of requests that fail or are refused."""
        self._app, self._connections, self._names, self._say = app, connections, names, say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        client = scope.get("client") or ("", 0)
        address = (str(client[0]), int(client[1]))
        self._connections.asked(address)

        async def sent(message: Message) -> None:
            await send(message)
            self._connections.moved(address)

        try:
            await (self._app if self._is_known(scope) else _misdirected)(scope, receive, sent)
        except Exception as error:  # noqa: BLE001  (one request that fails is said, and harms no other)
            self._say(f"a request was not answered: {type(error).__name__}: {error}")
        finally:
            self._connections.answered(address)

    def _is_known(self, scope: Scope) -> bool:
        asked = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        strange = [host for host in asked if not self._names.holds(host)]
        if strange:
            self._say(f"a request for the host {strange[0][:80]!r} was rejected: see [service] hosts")
        return not strange


async def _misdirected(scope: Scope, receive: Receive, send: Send) -> None:
    text = "This service does not answer to that host name; see [service] hosts in its config.\n"
    await PlainTextResponse(text, 421)(scope, receive, send)


def _aliases(own: str, hosts: Path) -> Iterable[str]:
    """Names that this machine itself gives to its own name, such as the one with its domain."""
    try:
        lines = hosts.read_text(errors="replace").lower().splitlines()
    except OSError:
        return
    for line in lines:
        names = line.partition("#")[0].split()[1:]
        if own in names:
            yield from names
