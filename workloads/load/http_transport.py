"""Requests over HTTP with aiohttp: to addresses that were checked, without redirects, answers read to their end."""

from __future__ import annotations

import ssl
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workloads.load.address import is_ipv6
from workloads.load.options import LoadOptions
from workloads.load.outcome import ABANDONED, RequestOutcome, of_answer, of_connection

Headers = Sequence[tuple[str, str]]
_CHUNK = 1 << 16
_KEEPALIVE = 4.0
"""Seconds that a connection is kept without a request: fewer than servers keep theirs."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What is sent."""

    method: str
    url: str
    headers: Headers = ()
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came of it."""

    outcome: RequestOutcome
    body: bytes = b""
    """Where it was to be kept."""


def http_port(url: str, name: str = "url") -> int:
    """The port of an HTTP URL. name: of the option, for the error.

    Raises:
        ValueError: it is none.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{name} = {url!r}: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{name} = {url!r}: expected http://HOST:PORT/PATH or https://HOST:PORT/PATH")
    return port or (443 if parts.scheme == "https" else 80)


class HttpTransport:
    """Connections to one server, made as they are needed. Made on the loop that it is used on.

    addresses: the only ones that are connected to.
    """

    def __init__(self, options: LoadOptions, addresses: list[str], verify_tls: bool = True) -> None:
        import aiohttp

        self._options, self._http, self._addresses, self._verify = options, aiohttp, addresses, verify_tls
        self.connections = 0
        """How many were opened."""
        connector = aiohttp.TCPConnector(
            # A name is looked up once, so that it cannot lead elsewhere later.
            limit=options.most_in_flight, resolver=_resolver(addresses), ssl=verify_tls, keepalive_timeout=_KEEPALIVE,
        )  # fmt: skip
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[self._tracing()],
        )

    def _tracing(self) -> Any:
        tracing = self._http.TraceConfig()

        async def opened(*_: object) -> None:
            self.connections += 1

        tracing.on_connection_create_end.append(opened)
        return tracing

    async def send(
        self, request: HttpRequest, expected_status: int = 0, keep: bool = False, timeout: float | None = None
    ) -> HttpAnswer:
        """Send one, and read the answer to its end. keep: its body too. timeout: seconds, where not that of options."""
        size, kept, seconds = 0, bytearray(), timeout or self._options.timeout
        limit = self._http.ClientTimeout(total=seconds)
        try:
            async with self._session.request(
                request.method,
                request.url,
                data=request.body,
                headers=list(request.headers),
                allow_redirects=False,
                timeout=limit,
            ) as response:
                async for chunk in response.content.iter_chunked(_CHUNK):
                    size += len(chunk)
                    if keep:
                        kept += chunk
                return HttpAnswer(of_answer(response.status, expected_status, size), bytes(kept))
        except TimeoutError:
            return HttpAnswer(RequestOutcome("timeout", f"no answer within {seconds:g} s", size))
        except (self._http.ClientError, OSError, ValueError) as error:
            return HttpAnswer(RequestOutcome(self._kind(error), f"{type(error).__name__}: {error}", size))

    def _kind(self, error: Exception) -> str:
        http = self._http
        if isinstance(error, http.ServerDisconnectedError | http.ClientPayloadError):
            return "reset"
        return of_connection(error) if isinstance(error, OSError) else "invalid"

    async def abandon(self, request: HttpRequest, whole: bool) -> RequestOutcome:
        """Send one on a connection of its own, and close that. whole: once all of it was sent, or half of its body."""
        import asyncio

        parts = urllib.parse.urlsplit(request.url)
        tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            tls = ssl.create_default_context()
            if not self._verify:
                tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        try:
            async with asyncio.timeout(self._options.timeout):
                writer = await self._connected(http_port(request.url), tls, parts.hostname or "")
                self.connections += 1
                writer.write(_begun(request, parts, whole))
                await writer.drain()
        except OSError as error:
            return RequestOutcome(of_connection(error), f"{type(error).__name__}: {error}")
        # What was written is given to the kernel by now: the server sees the beginning of a request, and then its end.
        writer.transport.abort()
        return RequestOutcome(ABANDONED)

    async def _connected(self, port: int, tls: ssl.SSLContext | None, host: str) -> Any:
        """To the first of the addresses that accepts: what can be written to.

        Raises:
            OSError: none does; the first error.
        """
        import asyncio

        refused: OSError | None = None
        for address in self._addresses:
            try:
                _, writer = await asyncio.open_connection(
                    address, port, ssl=tls, server_hostname=host if tls else None
                )  # fmt: skip
            except OSError as error:
                refused = refused or error
            else:
                return writer
        raise refused or OSError("no address")

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


def _begun(request: HttpRequest, parts: urllib.parse.SplitResult, whole: bool) -> bytes:
    body = request.body or b""
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(lines).encode("latin-1")
    if whole:
        return head + b"\r\n\r\n" + body
    return head + b"\r\n\r\n" + body[: len(body) // 2] if body else head


def _resolver(addresses: list[str]) -> Any:
    import socket

    from aiohttp.abc import AbstractResolver, ResolveResult

    class Pinned(AbstractResolver):
        """Answers with the addresses that were checked."""

        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            return [
                ResolveResult(
                    hostname=host, host=address, port=port, proto=0, flags=socket.AI_NUMERICHOST,
                    family=socket.AF_INET6 if is_ipv6(address) else socket.AF_INET,
                )
                for address in addresses
            ]  # fmt: skip

        async def close(self) -> None:
            """Nothing is held."""

    return Pinned()
