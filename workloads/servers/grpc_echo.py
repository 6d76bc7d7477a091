"""gRPC server that sends back what it receives; can keep some bytes of every call, as a planted leak.

Needs grpcio alone, and nothing of soak: it is started as a file. Answers the standard health check.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from dataclasses import asdict, dataclass
from typing import Any

REQUIRES = {"grpc": "soak[clients]"}
READY = "port"
"""It serves once its port is open."""
_SERVING = b"\x08\x01"


@dataclass(frozen=True, slots=True)
class Options:
    """What is wrong with it."""

    leak_bytes_per_request: int = 0
    """Bytes that are kept for ever of each call; the truth that is planted."""
    delay_seconds: float = 0.0
    """How long each answer is held back."""
    fail_every: int = 0
    """Answer every so many calls with the code INTERNAL; 0 for none."""


def command(options: Options) -> list[str]:
    """The arguments that start it; `{port}` stands for the port of 127.0.0.1 that it listens on."""
    return [sys.executable, "-P", __file__, "--port", "{port}", "--options", json.dumps(asdict(options))]


class GrpcEcho:
    """What its two methods do."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._kept: list[bytes] = []
        self._calls = 0

    async def call(self, request: bytes, context: Any) -> bytes:
        """The method `/soak.Echo/Call`."""
        import asyncio

        import grpc

        self._calls += 1
        if size := self._options.leak_bytes_per_request:
            # Written to, so that it takes memory and not only addresses; the header of the object is part of it.
            self._kept.append(b"x" * max(1, size - sys.getsizeof(b"")))
        if self._options.delay_seconds:
            await asyncio.sleep(self._options.delay_seconds)
        if self._options.fail_every and self._calls % self._options.fail_every == 0:
            await context.abort(grpc.StatusCode.INTERNAL, "planted")
        return request

    async def check(self, request: bytes, context: Any) -> bytes:
        """The standard health check, whatever service is asked for."""
        return _SERVING


async def serve(options: Options, port: int) -> None:
    """Serve until it is told to stop."""
    import asyncio

    import grpc

    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 1 << 24)])
    echo = GrpcEcho(options)
    for service, method, answer in (("soak.Echo", "Call", echo.call), ("grpc.health.v1.Health", "Check", echo.check)):
        handler = grpc.unary_unary_rpc_method_handler(answer)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    await stop.wait()
    await server.stop(1.0)


def main() -> None:
    """Serve until it is told to stop."""
    import asyncio

    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--options", type=json.loads, default={})
    given = parser.parse_args()
    asyncio.run(serve(Options(**given.options), given.port))


if __name__ == "__main__":
    main()
