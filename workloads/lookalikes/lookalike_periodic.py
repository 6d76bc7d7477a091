"""Planted lookalike: load rises and falls as with the time of day, and memory with it."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How high and how long."""

    kib: int = 64
    """Of a session."""
    sessions: int = 200
    """At most, at a time."""
    period: int = 500
    """Steps from one peak to the next."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._sessions: deque[bytes] = deque()

    def after_step(self, value: float, step: int, seconds: float) -> float:
        load = 0.5 - 0.5 * math.cos(2 * math.pi * step / self._options.period)
        wanted = int(self._options.sessions * load)
        while len(self._sessions) < wanted:
            self._sessions.append(b"\1" * (self._options.kib * 1024))
        while len(self._sessions) > wanted:
            self._sessions.popleft()
        return value


build = _Planted
