"""Zoo: a few numbers of every batch are kept as a view, which keeps the whole batch alive.

`copied` keeps a copy of them instead, which is the cure.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads.beside import FRAMEWORKS, MODES, Beside, SizedOptions
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options(SizedOptions):
    """How large a batch is, and what is kept of it."""

    copied: bool = False
    """Whether eight numbers are copied."""


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        import numpy as np

        super().__init__(setup, options)
        self._ones = np.ones

    def once(self, novelty: int) -> None:
        batch = self._ones(self._options.size, "uint8")
        self._kept[novelty] = batch[:8].copy() if self._options.copied else batch[:8]


build = _Leak
