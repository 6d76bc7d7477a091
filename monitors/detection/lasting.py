"""Counts at a few moments → how fast they keep growing, or that they do not. Pure, without NumPy."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

Point = tuple[float, float]
"""Seconds, and how many."""
_FEWEST = 2
"""Of two nobody can tell whether growth lasts: who asks has to know that from elsewhere."""
_FEW = 5
"""Points with fewer of which every step has to rise: there is no telling what is noise."""
_FADES = 0.4
"""Of the growth of the whole: where its later half has less, it ends."""
_NOISE = 4.0
"""Times the scatter about the line that it has to rise by."""
_LEAST = 3.0
"""Rise of the whole below which nothing stands out."""


def lasting(points: Sequence[Point], least: float = _LEAST) -> float | None:
    """Growth per second that lasts to the end; None where there is none, or where it was made once and ended."""
    if len(points) < _FEWEST:
        return None
    rate = slope(points)
    span = points[-1][0] - points[0][0]
    if rate is None or rate * span < least:
        return None
    if len(points) < _FEW:
        steps = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.pairwise(points) if b[0] > a[0]]
        return rate if min(steps) > 0 and steps[-1] >= _FADES * max(steps) else None
    late = slope(points[len(points) // 2 :]) or 0.0
    middle = statistics.median(y - rate * t for t, y in points)
    scatter = statistics.median(abs(y - rate * t - middle) for t, y in points)
    stands_out = rate * span >= _NOISE * scatter and points[-1][1] > points[len(points) // 2][1]
    return rate if late >= _FADES * rate and stands_out else None


def slope(points: Sequence[Point]) -> float | None:
    """The median of the slopes of all pairs, per second; None without two moments."""
    slopes = [
        (y - x) / (late - early)
        for place, (early, x) in enumerate(points)
        for late, y in points[place + 1 :]
        if late > early
    ]
    return statistics.median(slopes) if slopes else None
