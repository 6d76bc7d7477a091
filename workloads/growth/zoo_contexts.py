"""Zoo: a `contextvars` context is kept for every request, with the values set in it."""

from __future__ import annotations

from contextvars import ContextVar, copy_context

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


_REQUEST: ContextVar[bytes] = ContextVar("request")


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        context = copy_context()
        context.run(_REQUEST.set, b"\1" * self._options.size)
        self._kept[novelty] = context


build = _Leak
