"""What ties a worker to the supervisor: messages out, the wish that it ends in."""

from __future__ import annotations

import os

from workloads.protocol import wire


class StopFlag:
    """Set by TERM: the step under way is the last."""

    def __init__(self) -> None:
        self.asked = False

    def set(self, *_: object) -> None:
        """Ask for the end."""
        self.asked = True


class Pipe:
    """The way to the supervisor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def send(self, message: wire.Message) -> None:
        """Write one message whole."""
        data = memoryview(wire.encode(message))
        while data:
            data = data[os.write(self._fd, data) :]
