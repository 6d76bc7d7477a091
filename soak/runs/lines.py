"""The messages of a run as they come through its pipe: bytes in, messages out; and the two ways to read a pipe."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import msgspec

from soak.runs import messages

LONGEST = 1 << 22
"""Bytes of a line."""
CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no message, in a sentence."""

    message: str


Read = messages.Message | Unreadable


class Lines:
    """Cuts what is fed to it into messages. A line that is too long is dropped and told; memory is bounded."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skipping = False

    def feed(self, chunk: bytes) -> list[Read]:
        """The messages that are whole now."""
        found: list[Read] = []
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._buffer += end
            found += self._line()
        self._buffer += rest
        if len(self._buffer) > LONGEST:
            self._buffer.clear()
            self._skipping = True
        return found

    def _line(self) -> list[Read]:
        line = bytes(self._buffer)
        self._buffer.clear()
        if self._skipping or len(line) > LONGEST:
            self._skipping = False
            return [Unreadable(f"a message longer than {LONGEST} bytes was dropped")]
        try:
            return [messages.decode(line)]
        except msgspec.MsgspecError as error:
            return [Unreadable(f"a message that cannot be read: {error}")]


class MessageReader:
    """Reads a pipe for whoever can wait. Owns the descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lines = Lines()
        self.ended = False
        """Whether nothing more will come: the run is gone, or this was closed."""

    def read(self, timeout: float) -> list[Read]:
        """All that has come, waiting for it if there is nothing; empty where nothing came in time.

        timeout: seconds; 0 does not wait.
        """
        if self.ended:
            return []
        found: list[Read] = []
        poll = select.poll()  # unlike select(), takes descriptors of any number
        poll.register(self._fd, select.POLLIN)
        while poll.poll(1000 * timeout):
            chunk = os.read(self._fd, CHUNK)
            if not chunk:
                self.close()
                break
            found += self._lines.feed(chunk)
            timeout = 0.0
        return found

    def close(self) -> None:
        """Let go of the pipe: a run that nobody listens to any more ends itself."""
        if not self.ended:
            self.ended = True
            os.close(self._fd)


async def read_pipe(fd: int) -> AsyncGenerator[Read, None]:
    """The messages of a pipe, until it ends, in an event loop. Takes the descriptor over."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(fd, "rb"))
    lines = Lines()
    try:
        while chunk := await reader.read(CHUNK):
            for message in lines.feed(chunk):
                yield message
    finally:
        transport.close()
