"""Planted lookalike: a queue is filled faster than it is drained, until its limit blocks the producer."""

from __future__ import annotations

import queue
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The queue."""

    most: int = 800
    """Batches in it."""
    kib: int = 32
    """Size of a batch."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._queue: queue.Queue[bytes] = queue.Queue(options.most)

    def after_step(self, value: float, step: int, seconds: float) -> float:
        for _ in range(3):
            if not self._queue.full():
                self._queue.put(b"\1" * (self._options.kib * 1024))
        for _ in range(2):
            self._queue.get()
        return value


build = _Planted
