"""gRPC client: calls a unary method by its path, with unchanged payloads, at a rate or with concurrent calls."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from typing import Any

from workloads.load.address import resolve
from workloads.load.grpc_transport import place
from workloads.load.options import LoadOptions, header_lines
from workloads.load.outcome import RequestOutcome
from workloads.protocol.contract import Setup

FRAMEWORKS = ("none",)
MODES = ("infer",)
DEVICES = ("cpu",)
SOURCES = ("requests", "none")
REQUIRES = {"grpc": "soak[clients]"}


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
        place(self.target)
        if self.path.count("/") != 2 or not self.path.startswith("/") or self.path.endswith("/"):
            raise ValueError(f"path = {self.path!r}: expected /package.Service/Method")


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

    host, port = place(options.target)
    addresses = resolve(host, port, options.allow_remote)
    loop = asyncio.new_event_loop()
    transport = loop.run_until_complete(_open(options, addresses))
    loop.run_until_complete(transport.connect(options.health_check))
    halves = itertools.cycle((False, True))

    async def send(payload: bytes) -> RequestOutcome:
        outcome: RequestOutcome = (await transport.call(options.path, payload)).outcome
        return outcome

    async def abandon(payload: bytes) -> RequestOutcome:
        outcome: RequestOutcome = await transport.abandon(options.path, payload, next(halves))
        return outcome

    server = f"the server at {options.target}"
    return Client(
        Generator(server, options, loop, send, transport.close, abandon, counters=lambda: _counters(options, transport))
    )


async def _open(options: Options, addresses: list[str]) -> Any:
    from workloads.load.grpc_transport import GrpcTransport

    metadata = tuple((name.lower(), value) for name, value in header_lines(options.headers, dict(os.environ)))
    return GrpcTransport(options, options.target, addresses, options.tls, metadata)


def _counters(options: LoadOptions, transport: Any) -> dict[str, float]:
    return {"connections": float(transport.connections)} if options.concurrency_steps else {}
