"""Planted lookalike: a pool opens a connection when all are busy, up to its limit, and keeps them open."""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The pool."""

    most: int = 60
    """Connections at most."""
    tail: float = 0.7
    """Of the requests that come at once; smaller has more at once."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._random = random.Random(setup.seed)  # noqa: S311  (load, not secrets)
        self._open: list[tuple[socket.socket, socket.socket]] = []

    def after_step(self, value: float, step: int, seconds: float) -> float:
        # New ones come one at a time, the more rarely the more there are.
        wanted = min(int(self._random.paretovariate(self._options.tail)), self._options.most)
        if len(self._open) < wanted:
            self._open.append(socket.socketpair())
        for one, other in self._open[:wanted]:
            one.send(b"ping")
            other.recv(4)
        return value

    def close(self) -> None:
        for one, other in self._open:
            one.close()
            other.close()
        super().close()


build = _Planted
