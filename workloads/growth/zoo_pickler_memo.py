"""Zoo: one pickler writes all messages of a stream, and its memo keeps every object that it wrote."""

from __future__ import annotations

import io
import pickle

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._file = io.BytesIO()
        self._pickler = pickle.Pickler(self._file)

    def once(self, novelty: int) -> None:
        if self._options.distinct and novelty == 0:
            self._pickler.clear_memo()
        self._pickler.dump({"step": self._turns, "batch": b"\1" * self._options.size})
        self._file.seek(0)
        self._file.truncate()


build = _Leak
