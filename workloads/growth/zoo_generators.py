"""Zoo: generators are started and never exhausted, and each holds the variables of its frame."""

from __future__ import annotations

from collections.abc import Iterator

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


def _batches(size: int) -> Iterator[int]:
    batch = b"\1" * size
    yield from batch


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        batches = _batches(self._options.size)
        next(batches)
        self._kept[novelty] = batches


build = _Leak
