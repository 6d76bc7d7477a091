"""Zoo: a thread is started for every request and waits forever for something that never comes."""

from __future__ import annotations

import threading

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SeldomOptions as Options

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        before = self._kept.get(novelty)
        if before is not None:
            before.set()
        self._kept[novelty] = answered = threading.Event()
        threading.Thread(target=_wait_for_answer, args=(answered,), name=f"request-{novelty}", daemon=True).start()


def _wait_for_answer(answered: threading.Event) -> None:
    answered.wait()


build = _Leak
