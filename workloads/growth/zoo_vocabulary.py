"""Zoo: a tokenizer learns every new word, and new words keep coming.

Strings and numbers in two dicts; `distinct` bounds how many batches of words there are.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads import beside
from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options(beside.Options):
    """How many words."""

    words: int = 20
    """New ones each time."""


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._ids: dict[str, int] = {}
        self._words: dict[int, str] = {}

    def once(self, novelty: int) -> None:
        for place in range(self._options.words):
            word = f"word{novelty:x}-{place:x}"
            number = self._ids.setdefault(word, len(self._ids))
            self._words[number] = word


build = _Leak
