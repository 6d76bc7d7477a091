"""Zoo: an event loop is created for every request and never closed: a selector, two sockets, and more."""

from __future__ import annotations

import asyncio

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SeldomOptions as Options

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        before = self._kept.get(novelty)
        if before is not None:
            before.close()
        self._kept[novelty] = asyncio.new_event_loop()


build = _Leak
