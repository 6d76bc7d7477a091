"""Zoo: an unbounded queue is filled faster than it is drained.

Of every four items three are taken out again; with `distinct` the queue is drained to that many.
"""

from __future__ import annotations

from queue import SimpleQueue

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._queue: SimpleQueue[bytes] = SimpleQueue()

    def once(self, novelty: int) -> None:
        for _ in range(4):
            self._queue.put(b"\1" * self._options.size)
        bound = self._options.distinct
        left = bound or self._queue.qsize() - 3
        while self._queue.qsize() > left:
            self._queue.get()


build = _Leak
