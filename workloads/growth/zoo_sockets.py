"""Zoo: a connection is opened for every request and never closed: two sockets each time."""

from __future__ import annotations

import socket

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SeldomOptions as Options

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        for end in self._kept.get(novelty, ()):
            end.close()
        self._kept[novelty] = socket.socketpair()


build = _Leak
