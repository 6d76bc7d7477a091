"""Planted lookalike: a tokenizer caches the pieces of the latest words, up to a limit; new words keep coming."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The cache."""

    entries: int = 20000
    """Words that it remembers."""
    words: int = 20
    """In a step; most are new."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._pieces: OrderedDict[str, list[str]] = OrderedDict()

    def after_step(self, value: float, step: int, seconds: float) -> float:
        for place in range(self._options.words):
            word = f"word{step:x}-{place:x}"
            self._pieces[word] = [word[start : start + 3] for start in range(0, len(word), 3)]
            if len(self._pieces) > self._options.entries:
                self._pieces.popitem(last=False)
        return value


build = _Planted
