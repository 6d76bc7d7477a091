"""Zoo: exceptions are kept to report them later, and each traceback holds its frames and local variables."""

from __future__ import annotations

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


def _fails(size: int) -> None:
    batch = b"\1" * size
    raise ValueError(f"a batch of {len(batch)} bytes cannot be decoded")


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        try:
            _fails(self._options.size)
        except ValueError as error:
            self._kept[novelty] = error


build = _Leak
