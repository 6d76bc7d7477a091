"""gRPC client: calls a unary method by its path, with unchanged payloads, at a rate or with concurrent calls."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from workloads.load.address import resolve
from workloads.load.options import LoadOptions, header_lines
from workloads.load.outcome import RequestOutcome
from workloads.protocol.contract import Setup

FRAMEWORKS = ("none",)
MODES = ("infer",)
DEVICES = ("cpu",)
SOURCES = ("requests", "none")
REQUIRES = {"grpc": "soak[clients]"}

_HEALTH = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"
"""The answer of the standard health check, as its two bytes: field 1, status SERVING."""
_MOST_BYTES = 1 << 30
_CLIENT_FAULTS = frozenset({
    "CANCELLED", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNAUTHENTICATED",
})  # fmt: skip
"""Codes that map to an HTTP status from 400 to 499; the others map to 500 and more."""
_LOST = ("socket closed", "connection reset", "broken pipe", "goaway", "transport")
"""Words of the library for a connection that ended before the answer did."""


class NotServingError(RuntimeError):
    """The server says by its health check that it does not serve."""


@dataclass(frozen=True, slots=True)
class Options(LoadOptions):
    """Where to, and what to call."""

    target: str = "127.0.0.1:50051"
    """HOST:PORT of the server."""
    path: str = "/soak.Echo/Call"
    """The method, as /package.Service/Method. Payloads are sent as they are: serialized messages."""
    headers: str = ""
    """Metadata: `name: value` a line; the value `$NAME` is read from the environment of the client."""
    health_check: bool = True
    """Ask the server's health before the load, where it implements the standard check."""
    tls: bool = False
    """Encrypted, with a certificate that is trusted."""

    def __post_init__(self) -> None:
        # Without arguments, super() is not to be had in a class with slots.
        LoadOptions.__post_init__(self)
        _place(self.target)
        if self.path.count("/") != 2 or not self.path.startswith("/") or self.path.endswith("/"):
            raise ValueError(f"path = {self.path!r}: expected /package.Service/Method")


def _place(target: str) -> tuple[str, int]:
    host, _, port = target.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"target = {target!r}: expected HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def build(setup: Setup, options: Options) -> Any:
    """A channel to the server, which is seen to answer.

    Raises:
        AddressError: the target is another machine, or nowhere.
        NotServingError: the server did not come up within `give_up` seconds, or says that it does not serve.
        ValueError: a header cannot be read.
    """
    import asyncio

    from workloads.load.client import Client
    from workloads.load.generator import Generator

    host, port = _place(options.target)
    addresses = resolve(host, port, options.allow_remote)
    loop = asyncio.new_event_loop()
    sender = loop.run_until_complete(_open(options, addresses, port))
    loop.run_until_complete(sender.check_health())
    return Client(Generator(f"the server at {options.target}", options, loop, sender.send, sender.close))


async def _open(options: Options, addresses: list[str], port: int) -> _Sender:
    return _Sender(options, addresses, port)


class _Sender:
    """Makes one call. Made on the loop that it is used on."""

    def __init__(self, options: Options, addresses: list[str], port: int) -> None:
        import grpc

        self._options, self._grpc = options, grpc
        self._metadata = tuple((name.lower(), value) for name, value in header_lines(options.headers, dict(os.environ)))
        # The addresses that were checked: a name is looked up once, so that it cannot lead elsewhere later.
        family = "ipv6" if ":" in addresses[0] else "ipv4"
        same = [address for address in addresses if (":" in address) == (family == "ipv6")]
        target = f"{family}:" + ",".join(f"[{a}]:{port}" if family == "ipv6" else f"{a}:{port}" for a in same)
        settings = [
            ("grpc.default_authority", options.target),
            ("grpc.enable_http_proxy", 0),
            ("grpc.max_receive_message_length", _MOST_BYTES),
            ("grpc.max_send_message_length", _MOST_BYTES),
            # A server that is gone is asked again soon.
            ("grpc.max_reconnect_backoff_ms", 1000),
        ]
        if options.tls:
            self._channel = grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options=settings)
        else:
            self._channel = grpc.aio.insecure_channel(target, options=settings)
        self._call = self._channel.unary_unary(options.path)

    async def check_health(self) -> None:
        """Wait until the server is there, and ask how it is."""
        import asyncio

        options, grpc = self._options, self._grpc
        try:
            async with asyncio.timeout(options.give_up):
                await self._channel.channel_ready()
            if options.health_check:
                answer = await self._channel.unary_unary(_HEALTH)(b"", timeout=options.timeout)
                if answer != _SERVING:
                    raise NotServingError(f"the server at {options.target} says by its health check: not serving")
        except TimeoutError:
            raise NotServingError(
                f"the server at {options.target} never answered: no connection within {options.give_up:g} s"
            ) from None
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                raise NotServingError(f"the server at {options.target}: health check: {_said(error)}") from None

    async def send(self, payload: bytes) -> RequestOutcome:
        """Make one call."""
        try:
            answer = await self._call(payload, timeout=self._options.timeout, metadata=self._metadata)
        except self._grpc.aio.AioRpcError as error:
            return RequestOutcome(kind_of(error.code().name, error.details() or ""), _said(error))
        return RequestOutcome(response_bytes=len(answer))

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()


def _said(error: Any) -> str:
    return f"{error.code().name}: {(error.details() or '')[:200]}"


def kind_of(code: str, details: str) -> str:
    """The kind of error, of those of `workloads.load.outcome`, that a status code of gRPC is.

    details: the words that come with it. In them alone an UNAVAILABLE that the library made of a connection that was
        refused or lost differs from one that the server sent.
    """
    if code == "DEADLINE_EXCEEDED":
        return "timeout"
    if code == "UNAVAILABLE":
        words = details.lower()
        if "failed to connect" in words:
            return "refused"
        return "reset" if any(lost in words for lost in _LOST) else "status_5xx"
    return "status_4xx" if code in _CLIENT_FAULTS else "status_5xx"
