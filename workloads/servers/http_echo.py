"""HTTP server on uvicorn that sends back what it receives; can keep some bytes of every request, as a planted leak.

Needs uvicorn alone, and nothing of soak: it is started as a file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

REQUIRES = {"uvicorn": "soak[clients]"}
READY = "/healthy"
"""The path that answers once it serves."""
_MOST = 1 << 24
"""Bytes of a body that are sent back; of more, the rest is read and dropped."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is wrong with it."""

    leak_bytes_per_request: int = 0
    """Bytes that are kept for ever of each request; the truth that is planted."""
    delay_seconds: float = 0.0
    """How long each answer is held back."""
    fail_every: int = 0
    """Answer every so many requests with status 500; 0 for none."""


def command(options: Options) -> list[str]:
    """The arguments that start it; `{port}` stands for the port of 127.0.0.1 that it listens on."""
    return [sys.executable, "-P", __file__, "--port", "{port}", "--options", json.dumps(asdict(options))]


class HttpEcho:
    """The ASGI application."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._kept: list[bytes] = []
        self._requests = 0

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        body = await self._read(receive)
        status = 200 if scope["path"] == READY else await self._serve()
        length = str(len(body)).encode()
        headers = [(b"content-type", b"application/octet-stream"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _read(self, receive: Callable[[], Awaitable[Mapping[str, Any]]]) -> bytes:
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")[: _MOST - len(body)]
            if not message.get("more_body"):
                return bytes(body)

    async def _serve(self) -> int:
        import asyncio

        self._requests += 1
        if size := self._options.leak_bytes_per_request:
            # Written to, so that it takes memory and not only addresses; the header of the object is part of it.
            self._kept.append(b"x" * max(1, size - sys.getsizeof(b"")))
        if self._options.delay_seconds:
            await asyncio.sleep(self._options.delay_seconds)
        every = self._options.fail_every
        return 500 if every and self._requests % every == 0 else 200


def main() -> None:
    """Serve until it is told to stop."""
    import uvicorn

    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--options", type=json.loads, default={})
    given = parser.parse_args()
    uvicorn.run(
        HttpEcho(Options(**given.options)), host=given.host, port=given.port,
        log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1,
    )  # fmt: skip


if __name__ == "__main__":
    main()
