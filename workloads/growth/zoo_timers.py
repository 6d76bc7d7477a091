"""Zoo: a one-hour timer is started for every request, and not cancelled when the response comes.

Each timer is a thread, which also holds the arguments of the call to come.
"""

from __future__ import annotations

import threading

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SeldomOptions as Options

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        before = self._kept.get(novelty)
        if before is not None:
            before.cancel()
        self._kept[novelty] = timer = threading.Timer(3600.0, print, args=(b"\1" * 1024,))
        timer.daemon = True
        timer.start()


build = _Leak
