"""Planted lookalike: a thread pool starts a thread when all are busy, up to its limit, and stops none."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The pool."""

    most: int = 24
    """Threads at most."""
    every: int = 15
    """Steps from one more task at a time to the next."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._pool = ThreadPoolExecutor(options.most)

    def after_step(self, value: float, step: int, seconds: float) -> float:
        at_once = min(1 + step // self._options.every, self._options.most)
        meet = threading.Barrier(at_once)
        for task in [self._pool.submit(meet.wait, 30.0) for _ in range(at_once)]:
            task.result()
        return value

    def close(self) -> None:
        self._pool.shutdown()
        super().close()


build = _Planted
