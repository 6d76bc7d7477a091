"""Zoo: a history of plain numbers, such as a list of losses, grows forever.

Python's collector does not follow floats, and most of them lie outside malloc.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from workloads import beside
from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options(beside.Options):
    """How many numbers."""

    numbers: int = 100
    """Each time; one takes 32 bytes with its place in the list."""


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._history: deque[float] = deque(maxlen=options.numbers * options.distinct or None)

    def once(self, novelty: int) -> None:
        self._history.extend(self._turns + place / 7 for place in range(self._options.numbers))


build = _Leak
