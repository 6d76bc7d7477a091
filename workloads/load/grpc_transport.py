"""Unary calls over gRPC with grpcio: to addresses that were checked, of methods named by their paths."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workloads.load.address import is_ipv6
from workloads.load.options import LoadOptions
from workloads.load.outcome import ABANDONED, ANSWERS, RequestOutcome

_HEALTH = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"
"""The answer of the standard health check, as its two bytes: field 1, status SERVING."""
_MOST_BYTES = 1 << 30
_KEEPALIVE = 4.0
"""Seconds that a connection of `concurrency_steps` is kept without a call."""
_CLIENT_FAULTS = frozenset({
    "CANCELLED", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNAUTHENTICATED",
})  # fmt: skip
"""Codes that map to an HTTP status from 400 to 499; the others map to 500 and more."""
_EACH_FAMILY = 1.0
"""Seconds that addresses of one family are tried before those of the other are, where a server has both."""
_ON_ITS_WAY = 0.001
"""Seconds between a call that was sent and its end, for calls that are given up."""
_LOST = ("socket closed", "connection reset", "broken pipe", "goaway", "transport")
"""Words of the library for a connection that ended before the answer did."""


class NotServingError(RuntimeError):
    """The server says by its health check that it does not serve."""


@dataclass(frozen=True, slots=True)
class GrpcAnswer:
    """What came of a call."""

    outcome: RequestOutcome
    body: bytes = b""
    """The serialized answer; empty where there is none."""


def place(target: str, name: str = "target") -> tuple[str, int]:
    """Host and port of HOST:PORT. name: of the option, for the error.

    Raises:
        ValueError: it is not that.
    """
    host, _, port = target.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{name} = {target!r}: expected HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def families(addresses: Sequence[str], port: int) -> list[str]:
    """Addresses as gRPC takes them: those of one family are one target, and that of the first address comes first."""
    found: dict[str, list[str]] = {}
    for address in addresses:
        family, host = ("ipv6", f"[{address}]") if is_ipv6(address) else ("ipv4", address)
        found.setdefault(family, []).append(f"{host}:{port}")
    return [f"{family}:{','.join(each)}" for family, each in found.items()]


class GrpcTransport:
    """Channels to one server. Made on the loop that it is used on.

    target: HOST:PORT, as the server is called. addresses: the only ones that are connected to.
    """

    def __init__(
        self, options: LoadOptions, target: str, addresses: list[str], tls: bool, metadata: tuple[tuple[str, str], ...]
    ) -> None:
        import grpc

        self._options, self._grpc, self._target, self._tls, self._metadata = options, grpc, target, tls, metadata
        # The addresses that were checked: a name is looked up once, so that it cannot lead elsewhere later.
        self._families = families(addresses, place(target)[1])
        """Of the server, that of the channels first; one alone once the server was reached."""
        self.connections = 0
        """How many were opened, where each call in flight has one of its own, and for calls that were given up."""
        self._main = self._open()
        self._idle: list[tuple[float, Any]] = []

    def _open(self) -> Any:
        self.connections += 1
        settings = [
            ("grpc.default_authority", self._target),
            ("grpc.enable_http_proxy", 0),
            ("grpc.max_receive_message_length", _MOST_BYTES),
            ("grpc.max_send_message_length", _MOST_BYTES),
            # A server that is gone is asked again soon.
            ("grpc.max_reconnect_backoff_ms", 1000),
            # A channel is a connection: otherwise channels to one server share one.
            ("grpc.use_local_subchannel_pool", 1),
        ]
        at, aio = self._families[0], self._grpc.aio
        if self._tls:
            return aio.secure_channel(at, self._grpc.ssl_channel_credentials(), options=settings)
        return aio.insecure_channel(at, options=settings)

    async def _turn(self) -> None:
        """Try the addresses of the other family, until the server was reached by one."""
        if len(self._families) > 1:
            self._families = [*self._families[1:], self._families[0]]
            await self.close()
            self._idle.clear()
            self.connections = 0  # what was refused is none
            self._main = self._open()

    async def connect(self, health_check: bool) -> None:
        """Wait until the server is there, and ask how it is.

        Raises:
            NotServingError: it did not come up within `give_up` seconds, or says that it does not serve.
        """
        import asyncio

        options, grpc = self._options, self._grpc
        try:
            async with asyncio.timeout(options.give_up):
                await self._reached()
            if health_check:
                answer = await self._main.unary_unary(_HEALTH)(b"", timeout=options.timeout)
                if answer != _SERVING:
                    raise NotServingError(f"the server at {self._target} says by its health check: not serving")
        except TimeoutError:
            raise NotServingError(
                f"the server at {self._target} never answered: no connection within {options.give_up:g} s"
            ) from None
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                raise NotServingError(f"the server at {self._target}: health check: {_said(error)}") from None

    async def _reached(self) -> None:
        """Wait until one of the addresses accepts connections."""
        import asyncio

        while len(self._families) > 1:
            try:
                async with asyncio.timeout(_EACH_FAMILY):
                    await self._main.channel_ready()
                self._families = self._families[:1]
            except TimeoutError:
                await self._turn()
        await self._main.channel_ready()

    async def call(self, path: str, payload: bytes, timeout: float | None = None) -> GrpcAnswer:
        """Make one call of the method at that path. timeout: seconds, where not that of the options."""
        channel = await self._taken()
        try:
            answer = await channel.unary_unary(path)(
                payload, timeout=timeout or self._options.timeout, metadata=self._metadata
            )
        except self._grpc.aio.AioRpcError as error:
            outcome, answer = RequestOutcome(kind_of(error.code().name, error.details() or ""), _said(error)), b""
        else:
            outcome = RequestOutcome(response_bytes=len(answer))
        finally:
            self._given_back(channel)
        if outcome.kind in ANSWERS:
            self._families = self._families[:1]
        else:
            await self._turn()
        return GrpcAnswer(outcome, answer)

    async def _taken(self) -> Any:
        if not self._options.concurrency_steps:
            return self._main
        long_ago = time.monotonic() - _KEEPALIVE
        while self._idle and self._idle[0][0] < long_ago:
            await self._idle.pop(0)[1].close()
        return self._idle.pop()[1] if self._idle else self._open()

    def _given_back(self, channel: Any) -> None:
        if channel is not self._main:
            self._idle.append((time.monotonic(), channel))

    async def abandon(self, path: str, payload: bytes, whole: bool) -> RequestOutcome:
        """Make a call on a connection of its own, and close that. whole: once the call was sent; else while it is."""
        import asyncio

        channel = self._open()
        try:
            async with asyncio.timeout(self._options.timeout):
                await channel.channel_ready()
                # On the wire a call like any other, and of this kind it is known what of it was sent.
                call = channel.stream_unary(path)(timeout=self._options.timeout, metadata=self._metadata)
                await call.wait_for_connection()
                if whole:
                    await call.write(payload)
                    await call.done_writing()
                    # A turn of the server, which drops unseen what comes and goes at once; no answer is waited for.
                    await asyncio.sleep(_ON_ITS_WAY)
                call.cancel()
        except TimeoutError:
            return RequestOutcome("refused", f"no connection within {self._options.timeout:g} s")
        except (self._grpc.aio.AioRpcError, asyncio.InvalidStateError):
            pass  # the server answered, or hung up, before it could be given up
        finally:
            await channel.close()
        return RequestOutcome(ABANDONED)

    async def close(self) -> None:
        """Close the channels."""
        for _, channel in self._idle:
            await channel.close()
        await self._main.close()


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
