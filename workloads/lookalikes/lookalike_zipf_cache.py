"""Planted lookalike: results are cached by key; a few keys are common, and the rare ones come late."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The keys."""

    keys: int = 400
    """Different ones."""
    kib: int = 48
    """Size of a result."""
    requests: int = 4
    """In a step."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._random = random.Random(setup.seed)  # noqa: S311  (keys, not secrets)
        self._keys = range(options.keys)
        self._weights = list(itertools.accumulate(1.0 / (1 + key) for key in self._keys))
        self._results: dict[int, bytes] = {}

    def after_step(self, value: float, step: int, seconds: float) -> float:
        for key in self._random.choices(self._keys, cum_weights=self._weights, k=self._options.requests):
            if key not in self._results:
                self._results[key] = b"\1" * (self._options.kib * 1024)
        return value


build = _Planted
