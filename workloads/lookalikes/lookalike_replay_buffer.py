"""Planted lookalike: a replay buffer keeps the latest episodes, of all lengths, and fills slowly."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The buffer."""

    episodes: int = 900
    """That it keeps."""
    most_kib: int = 64
    """Longest episode; lengths are even up to it."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._random = random.Random(setup.seed)  # noqa: S311  (lengths, not secrets)
        self._episodes: deque[bytes] = deque(maxlen=options.episodes)

    def after_step(self, value: float, step: int, seconds: float) -> float:
        self._episodes.append(b"\1" * self._random.randint(64, self._options.most_kib * 1024))
        return value


build = _Planted
