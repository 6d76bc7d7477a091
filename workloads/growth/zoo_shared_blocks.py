"""Zoo: `multiprocessing` creates a block of shared memory for every batch, which is never unlinked.

It stays mapped with its descriptor open; with `closed` it is only a file in /dev/shm that nobody maps.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from workloads.beside import FRAMEWORKS, MODES, Beside, SizedOptions

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options(SizedOptions):
    """How large a block is, and what becomes of it."""

    closed: bool = False
    """Whether it is unmapped and its descriptor closed."""


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        # Here, as it brings OpenSSL, and the supervisor reads this file to plan.
        from multiprocessing.shared_memory import SharedMemory

        name = f"psm_{os.getpid()}_{self._turns}"
        block: Any = SharedMemory(name, create=True, size=self._options.size)
        block.buf[:] = b"\1" * block.size
        before = self._kept.get(novelty)
        if before is not None:
            before.close()
            before.unlink()
        self._kept[novelty] = block
        if self._options.closed:
            block.close()

    def close(self) -> None:
        for block in self._kept.values():
            block.close()
            block.unlink()
        super().close()


build = _Leak
