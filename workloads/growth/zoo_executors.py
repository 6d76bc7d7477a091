"""Zoo: a thread pool is created for every batch and never shut down; its thread waits for more work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SeldomOptions as Options

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        before = self._kept.get(novelty)
        if before is not None:
            before.shutdown()
        self._kept[novelty] = pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="decode")
        pool.submit(sum, range(100)).result()


build = _Leak
