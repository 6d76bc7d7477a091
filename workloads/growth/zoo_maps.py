"""Zoo: memory is mapped for every batch and never unmapped: private, or shared for child processes."""

from __future__ import annotations

import mmap
from dataclasses import dataclass

from workloads.beside import FRAMEWORKS, MODES, Beside, SizedOptions

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options(SizedOptions):
    """How large a mapping is, and of which kind."""

    shared: bool = False
    """Whether it is shared with children."""


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        flags = mmap.MAP_SHARED if self._options.shared else mmap.MAP_PRIVATE
        batch = mmap.mmap(-1, self._options.size, flags | mmap.MAP_ANONYMOUS)
        batch.write(b"\1" * self._options.size)
        before = self._kept.get(novelty)
        if before is not None:
            before.close()
        self._kept[novelty] = batch


build = _Leak
