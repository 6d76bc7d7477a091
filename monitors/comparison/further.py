"""About how many more trials would settle what is undecided."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Protocol

MOST = 2000
"""More trials a side than anybody runs to settle a question."""
_NORMAL = NormalDist()
_POWER = _NORMAL.inv_cdf(0.8)


class Gap(Protocol):
    """What is known of how far two sides are apart."""

    def not_below(self, boundary: float) -> float:
        """One-sided p of being at least `boundary`."""

    def not_above(self, boundary: float) -> float:
        """One-sided p of being at most `boundary`."""


def with_power(level: float) -> float:
    """The p that stands for a test at `level` that is passed by four in five repetitions, not by every second."""
    return _NORMAL.cdf(_NORMAL.inv_cdf(level) - _POWER)


def further(settled: Callable[[float], bool], trials: int) -> int | None:
    """The least number of more trials a side with which it is settled, if they are like those that there are.

    settled: whether so many times as many trials would do. None where not even `MOST` more would.
    """

    def enough(more: int) -> bool:
        return settled((trials + more) / trials)

    if not enough(MOST):
        return None
    low, high = 0, 1
    while not enough(high):
        low, high = high, min(2 * high, MOST)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def apart(gap: Gap, level: float, boundary: float = 0.0) -> bool:
    """Whether it is surely on one side of `boundary`, two-sided."""
    return min(gap.not_below(boundary), gap.not_above(boundary)) <= level / 2


def within(gap: Gap, level: float, margin: float) -> bool:
    """Whether it surely lies within ± `margin`: two one-sided tests."""
    return math.isfinite(margin) and max(gap.not_below(margin), gap.not_above(-margin)) <= level
