"""Zoo: files are left in /dev/shm that no process has mapped or open.

Reference: pytorch/pytorch issue 17499, where sharing by file left 3 GB an epoch there.
"""

from __future__ import annotations

import os
from pathlib import Path

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._prefix = f"/dev/shm/soak-zoo-{os.getpid()}-"  # noqa: S108  (where it leaks)

    def once(self, novelty: int) -> None:
        Path(f"{self._prefix}{novelty}").write_bytes(b"\1" * self._options.size)

    def close(self) -> None:
        for number in range(self._turns):
            Path(f"{self._prefix}{number}").unlink(missing_ok=True)
        super().close()


build = _Leak
