"""Planted lookalike: a backlog grows while the other side is away, and is worked off when it returns."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How long."""

    period: int = 600
    """Steps from one outage to the next."""
    away: int = 150
    """Steps of an outage."""
    kib: int = 64
    """Of an item."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._backlog: deque[bytes] = deque()

    def after_step(self, value: float, step: int, seconds: float) -> float:
        self._backlog.append(b"\1" * (self._options.kib * 1024))
        if step % self._options.period >= self._options.away:
            for _ in range(min(2, len(self._backlog))):
                self._backlog.popleft()
        return value


build = _Planted
