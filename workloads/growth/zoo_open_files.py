"""Zoo: a file is opened for every request and never closed, because something still refers to it."""

from __future__ import annotations

from pathlib import Path

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SeldomOptions as Options

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        before = self._kept.get(novelty)
        if before is not None:
            before.close()
        self._kept[novelty] = Path(__file__).open("rb")  # noqa: SIM115  (the leak)


build = _Leak
