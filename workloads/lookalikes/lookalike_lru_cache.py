"""Planted lookalike: a cache that drops the least recently used entry is asked for ever new keys."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The cache."""

    entries: int = 600
    """That it keeps."""
    kib: int = 32
    """Size of an entry."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._features = functools.lru_cache(maxsize=options.entries)(self._computed)

    def after_step(self, value: float, step: int, seconds: float) -> float:
        self._features(step)
        self._features(max(step - 10, 0))
        return value

    def _computed(self, key: int) -> bytes:
        size: int = self._options.kib * 1024
        return bytes([key % 256]) * size


build = _Planted
