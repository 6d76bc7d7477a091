"""Planted lookalike: a cache with a bounded number of entries fills, more and more slowly, then only has hits."""

from __future__ import annotations

import random
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How large."""

    entries: int = 160
    """Distinct keys; each step asks for one at random."""
    kib: int = 200
    """Size of an entry."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._random = random.Random(0)  # noqa: S311  (keys, not secrets)
        self._cache: dict[int, bytes] = {}

    def after_step(self, value: float, step: int, seconds: float) -> float:
        key = self._random.randrange(self._options.entries)
        if key not in self._cache:
            self._cache[key] = b"\1" * (self._options.kib * 1024)
        return value


build = _Planted
