"""Planted lookalike: unneeded buffers are passed to a thread, which frees them in batches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The batches."""

    batch: int = 500
    """Blocks that are freed at once."""
    kib: int = 32
    """Size of a block."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._pool = ThreadPoolExecutor(1)
        self._waiting: list[bytes] = []

    def after_step(self, value: float, step: int, seconds: float) -> float:
        self._waiting.append(b"\1" * (self._options.kib * 1024))
        if len(self._waiting) >= self._options.batch:
            batch, self._waiting = self._waiting, []
            self._pool.submit(batch.clear)
        return value

    def close(self) -> None:
        self._pool.shutdown()
        super().close()


build = _Planted
