"""Zoo: every result is written to an in-memory database, and nothing is ever deleted."""

from __future__ import annotations

import sqlite3

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._results = sqlite3.connect(":memory:")
        self._results.execute("CREATE TABLE result (number INTEGER PRIMARY KEY, answer BLOB)")

    def once(self, novelty: int) -> None:
        answer = novelty.to_bytes(8, "big") * (self._options.size // 8)
        with self._results:
            self._results.execute("INSERT OR REPLACE INTO result VALUES (?, ?)", (novelty, answer))

    def close(self) -> None:
        super().close()
        self._results.close()


build = _Leak
