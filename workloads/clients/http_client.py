"""HTTP client: sends payloads to a URL with aiohttp, at a rate or with concurrent connections, and counts responses."""

from __future__ import annotations

import os
import urllib.parse
from dataclasses import dataclass
from typing import Any

from workloads.load.address import resolve
from workloads.load.options import LoadOptions, header_lines
from workloads.load.outcome import RequestOutcome, of_answer, of_connection
from workloads.protocol.contract import Setup

FRAMEWORKS = ("none",)
MODES = ("infer",)
DEVICES = ("cpu",)
SOURCES = ("requests", "none")
REQUIRES = {"aiohttp": "soak[clients]"}

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_CHUNK = 1 << 16
_KEEPALIVE = 4.0
"""Seconds that a connection is kept without a request: fewer than servers keep theirs."""


@dataclass(frozen=True, slots=True)
class Options(LoadOptions):
    """Where to, and what to expect."""

    url: str = "http://127.0.0.1:8000/"
    """Where requests go; `{payload}` in it is replaced by the payload, quoted, and nothing is sent as body."""
    method: str = "POST"
    """GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS."""
    headers: str = ""
    """`Name: value` a line; the value `$NAME` is read from the environment of the client."""
    content_type: str = "application/octet-stream"
    """Of what is sent as body."""
    expected_status: int = 0
    """The status that is no error; 0 for any from 200 to 299. Redirects are not followed."""
    verify_tls: bool = True
    """Whether the certificate of an https URL must be one that is trusted."""

    def __post_init__(self) -> None:
        # Without arguments, super() is not to be had in a class with slots.
        LoadOptions.__post_init__(self)
        _port(self.url)
        if self.method not in _METHODS:
            raise ValueError(f"method = {self.method!r}: expected one of {', '.join(_METHODS)}")
        if self.expected_status and not 100 <= self.expected_status <= 599:
            raise ValueError(f"expected_status = {self.expected_status}: expected 0, or a status from 100 to 599")


def _port(url: str) -> int:
    """The port of an HTTP URL."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"url = {url!r}: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"url = {url!r}: expected http://HOST:PORT/PATH or https://HOST:PORT/PATH")
    return port or (443 if parts.scheme == "https" else 80)


def build(setup: Setup, options: Options) -> Any:
    """Connections to the server, made as they are needed.

    Raises:
        AddressError: the URL leads to another machine, or nowhere.
        ValueError: a header cannot be read.
    """
    import asyncio

    from workloads.load.client import Client
    from workloads.load.generator import Generator

    parts = urllib.parse.urlsplit(options.url)
    addresses = resolve(parts.hostname or "", _port(options.url), options.allow_remote)
    loop = asyncio.new_event_loop()
    sender = loop.run_until_complete(_open(options, addresses))
    place = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
    return Client(Generator(f"the server at {place}", options, loop, sender.send, sender.close))


async def _open(options: Options, addresses: list[str]) -> _Sender:
    return _Sender(options, addresses)


class _Sender:
    """Sends one request. Made on the loop that it is used on."""

    def __init__(self, options: Options, addresses: list[str]) -> None:
        import aiohttp

        self._options, self._http = options, aiohttp
        self._headers = header_lines(options.headers, dict(os.environ))
        if not any(name.lower() == "content-type" for name, _ in self._headers):
            self._headers.append(("Content-Type", options.content_type))
        most = options.max_in_flight if options.rate else options.concurrency
        connector = aiohttp.TCPConnector(
            # A name is looked up once, so that it cannot lead elsewhere later.
            limit=most, resolver=_resolver(addresses), ssl=options.verify_tls, keepalive_timeout=_KEEPALIVE,
        )  # fmt: skip
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=options.timeout),
        )

    async def send(self, payload: bytes) -> RequestOutcome:
        """Send a payload, and read the answer to its end without keeping it."""
        options, http = self._options, self._http
        url, body = options.url, payload or None
        if "{payload}" in url:
            url, body = url.replace("{payload}", urllib.parse.quote(payload, safe="")), None
        headers = self._headers if body is not None else [h for h in self._headers if h[0].lower() != "content-type"]
        size = 0
        try:
            async with self._session.request(
                options.method, url, data=body, headers=headers, allow_redirects=False
            ) as response:
                async for chunk in response.content.iter_chunked(_CHUNK):
                    size += len(chunk)
                return of_answer(response.status, options.expected_status, size)
        except TimeoutError:
            return RequestOutcome("timeout", f"no answer within {options.timeout:g} s", size)
        except (http.ClientError, OSError, ValueError) as error:
            return RequestOutcome(self._kind(error), f"{type(error).__name__}: {error}", size)

    def _kind(self, error: Exception) -> str:
        http = self._http
        if isinstance(error, http.ServerDisconnectedError | http.ClientPayloadError):
            return "reset"
        return of_connection(error) if isinstance(error, OSError) else "invalid"

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


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
                    family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                )
                for address in addresses
            ]  # fmt: skip

        async def close(self) -> None:
            """Nothing is held."""

    return Pinned()
