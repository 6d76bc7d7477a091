"""Planted lookalike: a shuffle buffer fills step by step; then one element leaves for each that enters.

Reference: tensorflow/tensorflow issue 35132.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from workloads import frameworks
from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The buffer."""

    elements: int = 1200
    """That it holds."""
    kib: int = 32
    """Size of an element."""
    per_step: int = 2
    """Elements that come in a step."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._ones = frameworks.load(setup.framework).ones
        self._random = random.Random(setup.seed)  # noqa: S311  (an order, not secrets)
        self._buffer: list[Any] = []

    def after_step(self, value: float, step: int, seconds: float) -> float:
        for _ in range(self._options.per_step):
            element = self._ones(self._options.kib * 256, "cpu")
            if len(self._buffer) < self._options.elements:
                self._buffer.append(element)
            else:
                self._buffer[self._random.randrange(len(self._buffer))] = element
        return value


build = _Planted
