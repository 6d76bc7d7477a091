"""The supervisor's side of a probe that is asked for: a few bytes that it shares with a member."""

from __future__ import annotations

import mmap
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
            os.ftruncate(self.fd, SIZE)
            self._memory = mmap.mmap(self.fd, SIZE)
        except (OSError, ValueError):
            os.close(self.fd)
            raise

    def ask(self, request: Request) -> None:
        """Whoever looks next sees it."""
        self._memory[:SIZE] = pack(request)

    def close(self) -> None:
        """Nothing is asked any more. May be called twice."""
        self._memory.close()
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1
