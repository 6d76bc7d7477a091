"""Zoo: the future of every task is kept after the task ends, with its result."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._pool = ThreadPoolExecutor(max_workers=1)

    def once(self, novelty: int) -> None:
        future = self._pool.submit(bytes.__mul__, b"\1", self._options.size)
        future.result()
        self._kept[novelty] = future

    def close(self) -> None:
        self._pool.shutdown()
        super().close()


build = _Leak
