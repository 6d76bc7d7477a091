"""Planted lookalike: a pattern is built from every text and searched for; `re` caches the latest 512."""

from __future__ import annotations

import re
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How many."""

    patterns: int = 2
    """New ones in a step."""


class _Planted(Planted):
    def after_step(self, value: float, step: int, seconds: float) -> float:
        for place in range(self._options.patterns):
            re.search(rf"(step|frame) {step}\.{place} (?P<what>[a-z]+|[0-9]+)", "step 1.1 of a stream")
        return value


build = _Planted
