"""The supervisor's side of a probe that is asked for: a few bytes that it shares with a member."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from workloads.protocol.asking import SIZE, Request, pack


class Mailbox:
    """Memory that a member maps: by the descriptor that it inherits, or by the name of a file."""

    def __init__(self, path: Path | None = None) -> None:
        """Make it, with nothing asked for.

        path: of the file; without one it has no name, and only `fd` leads to it.

        Raises:
            OSError: it cannot be made.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self.fd = os.memfd_create("soak-probe") if path is None else os.open(path, flags, 0o600)
        try:
            # Written, so that it has its room: a hole in a file system that fills up kills who writes or reads it.
            os.pwrite(self.fd, bytes(SIZE), 0)
        except OSError:
            os.close(self.fd)
            raise

    def ask(self, request: Request) -> None:
        """Whoever looks next sees it; where it cannot be written, nobody is asked."""
        with contextlib.suppress(OSError):
            os.pwrite(self.fd, pack(request), 0)

    def close(self) -> None:
        """Nothing is asked any more. May be called twice."""
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1
