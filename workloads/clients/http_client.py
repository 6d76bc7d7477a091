"""HTTP client: sends payloads to a URL with aiohttp, at a rate or with concurrent connections, and counts responses."""

from __future__ import annotations

import itertools
import os
import urllib.parse
from dataclasses import dataclass
from typing import Any

from workloads.load.address import resolve
from workloads.load.http_transport import HttpRequest, http_port
from workloads.load.options import LoadOptions, header_lines
from workloads.load.outcome import RequestOutcome
from workloads.protocol.contract import Setup

FRAMEWORKS = ("none",)
MODES = ("infer",)
DEVICES = ("cpu",)
SOURCES = ("requests", "none")
REQUIRES = {"aiohttp": "soak[clients]"}

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


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
        http_port(self.url)
        if self.method not in _METHODS:
            raise ValueError(f"method = {self.method!r}: expected one of {', '.join(_METHODS)}")
        if self.expected_status and not 100 <= self.expected_status <= 599:
            raise ValueError(f"expected_status = {self.expected_status}: expected 0, or a status from 100 to 599")


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
    addresses = resolve(parts.hostname or "", http_port(options.url), options.allow_remote)
    headers = header_lines(options.headers, dict(os.environ))
    loop = asyncio.new_event_loop()
    transport = loop.run_until_complete(_open(options, addresses))
    halves = itertools.cycle((False, True))

    async def send(payload: bytes) -> RequestOutcome:
        outcome: RequestOutcome = (
            await transport.send(_request(options, headers, payload), options.expected_status)
        ).outcome
        return outcome

    async def abandon(payload: bytes) -> RequestOutcome:
        outcome: RequestOutcome = await transport.abandon(_request(options, headers, payload), next(halves))
        return outcome

    place = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
    return Client(
        Generator(
            f"the server at {place}", options, loop, send, transport.close, abandon,
            counters=lambda: {"connections": float(transport.connections)} if options.concurrency_steps else {},
        )
    )  # fmt: skip


async def _open(options: Options, addresses: list[str]) -> Any:
    from workloads.load.http_transport import HttpTransport

    return HttpTransport(options, addresses, options.verify_tls)


def _request(options: Options, headers: list[tuple[str, str]], payload: bytes) -> HttpRequest:
    url, body = options.url, payload or None
    if "{payload}" in url:
        url, body = url.replace("{payload}", urllib.parse.quote(payload, safe="")), None
    sent = [(name, value) for name, value in headers if body is not None or name.lower() != "content-type"]
    if body is not None and not any(name.lower() == "content-type" for name, _ in headers):
        sent.append(("Content-Type", options.content_type))
    return HttpRequest(options.method, url, sent, body)
