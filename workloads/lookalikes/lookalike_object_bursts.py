"""Planted lookalike: bursts of small objects, of which a few live on for a while and pin their arenas."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The bursts."""

    objects: int = 30000
    """Of a burst."""
    every: int = 40
    """Steps from one burst to the next."""
    survivors: int = 200
    """Of each burst, until the tenth after it."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._survivors: deque[list[tuple[int, float]]] = deque(maxlen=10)

    def after_step(self, value: float, step: int, seconds: float) -> float:
        if step % self._options.every == 0:
            burst = [(place, value + place) for place in range(self._options.objects)]
            self._survivors.append(burst[:: max(self._options.objects // max(self._options.survivors, 1), 1)])
        return value


build = _Planted
