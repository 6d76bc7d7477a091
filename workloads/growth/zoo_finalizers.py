"""Zoo: `weakref.finalize` on an object that lives forever keeps the arguments of every callback."""

from __future__ import annotations

import weakref

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


def _release(buffer: bytes) -> None:
    del buffer


class _Service:
    """Lives as long as the process."""


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._service = _Service()

    def once(self, novelty: int) -> None:
        before = self._kept.get(novelty)
        if before is not None:
            before()
        finalizer = weakref.finalize(self._service, _release, b"\1" * self._options.size)
        if self._options.distinct:
            self._kept[novelty] = finalizer


build = _Leak
