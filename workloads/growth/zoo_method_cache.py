"""Zoo: `functools.cache` on a method keeps every object it was called on, with all its data."""

from __future__ import annotations

import functools

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Request:
    def __init__(self, number: int, size: int) -> None:
        self.number = number
        self.payload = b"\1" * size

    @functools.cache  # noqa: B019  (the leak)
    def digest(self) -> int:
        return sum(self.payload[:64])


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        if self._options.distinct and self._turns % self._options.distinct == 0:
            _Request.digest.cache_clear()
        _Request(novelty, self._options.size).digest()


build = _Leak
