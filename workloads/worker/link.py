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


class UnheardError(Exception):
    """Nobody listens to this process: the supervisor is gone, or a workload forked it from the one that is heard.

    Not an `OSError`: a workload may meet a broken pipe of its own.
    """


class Pipe:
    """The way to the supervisor, for the process that made it: what that forks does not speak for it."""

    def __init__(self, fd: int) -> None:
        self._fd, self._owner = fd, os.getpid()

    def send(self, message: wire.Message) -> None:
        """Write one message whole.

        Raises:
            UnheardError: nobody would take it for what it is.
        """
        if os.getpid() != self._owner:
            raise UnheardError
        data = memoryview(wire.encode(message))
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except BrokenPipeError as error:
            raise UnheardError from error
