"""Planted lookalike: now and then a request needs much more memory than all others, for one step."""

from __future__ import annotations

import random
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The peaks."""

    mib: int = 48
    """Height of a peak."""
    every: int = 450
    """Steps from one to the next, on average."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._random = random.Random(setup.seed)  # noqa: S311  (load, not secrets)
        self._request = b""

    def after_step(self, value: float, step: int, seconds: float) -> float:
        rare = self._random.random() * self._options.every < 1.0
        self._request = b"\1" * (self._options.mib * 2**20 if rare else self._random.randint(1, 2**16))
        return value


build = _Planted
