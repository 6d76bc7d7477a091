"""Zoo: a registry by thread keeps the data of short-lived threads after they have ended."""

from __future__ import annotations

import threading

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        thread = threading.Thread(target=self._work, args=(novelty,))
        thread.start()
        thread.join()

    def _work(self, novelty: int) -> None:
        self._kept[novelty] = (threading.current_thread(), b"\1" * self._options.size)


build = _Leak
