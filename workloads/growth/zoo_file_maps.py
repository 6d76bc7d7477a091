"""Zoo: a data file is mapped again for every request and never unmapped; each mapping holds a descriptor."""

from __future__ import annotations

import mmap
import tempfile

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SeldomOptions as Options
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._file = tempfile.TemporaryFile(prefix="soak-zoo-")  # noqa: SIM115  (open as long as the workload)
        self._file.write(b"\1" * 4096)
        self._file.flush()

    def once(self, novelty: int) -> None:
        before = self._kept.get(novelty)
        if before is not None:
            before.close()
        self._kept[novelty] = mmap.mmap(self._file.fileno(), 0, prot=mmap.PROT_READ)

    def close(self) -> None:
        self._file.close()
        super().close()


build = _Leak
