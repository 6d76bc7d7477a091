"""A mean whose variance is known from the values themselves: Student's t, with what is known within each value.

Few values may be alike by luck. Where the error within each is known, the mean is never taken to be surer than those
make it, however little the values scatter.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_NORMAL = NormalDist()
_REACH = 40.0
"""Nats below its peak to which a density is integrated."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A mean and how well it is known.

    error: its standard error by the scatter of the values, not negative. freedom: degrees of it, above 0.
    floor: its standard error by what is known within each value alone; 0 where nothing is.
    """

    mean: float
    error: float
    freedom: float
    floor: float = 0.0

    def half(self, confidence: float = 0.95) -> float:
        """Half of the width of the interval that holds the mean with this probability."""
        within = self.floor * _NORMAL.inv_cdf((1 + confidence) / 2) if self.floor else 0.0
        return max(self.error * _quantile(self.freedom, confidence) if self.error else 0.0, within)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Ends of that interval."""
        half = self.half(confidence)
        return self.mean - half, self.mean + half

    def beyond(self, value: float = 0.0) -> float:
        """Two-sided p of the mean being `value`: 1 where it is just that."""
        away = abs(self.mean - value)
        if away == 0:
            return 1.0
        scattered = _tails(self.freedom, away / self.error) if self.error else 0.0
        return max(scattered, math.erfc(away / self.floor * math.sqrt(0.5)) if self.floor else 0.0)

    def not_below(self, boundary: float) -> float:
        """One-sided p of the mean being at least `boundary`."""
        p = self.beyond(boundary) / 2
        return p if self.mean < boundary else 1 - p

    def not_above(self, boundary: float) -> float:
        """One-sided p of the mean being at most `boundary`."""
        p = self.beyond(boundary) / 2
        return p if self.mean > boundary else 1 - p

    def of(self, times: float) -> Spread:
        """The same if so many times as many values had come, scattered like these."""
        root = math.sqrt(times)
        return Spread(self.mean, self.error / root, (self.freedom + 1) * times - 1, self.floor / root)


def of_values(values: Floats, deviations: Floats | None = None) -> Spread:
    """Of independent values, shape (n,), n >= 2; deviations: the error within each, 0 where not known, shape (n,)."""
    count = len(values)
    error = float(np.std(values, ddof=1)) / math.sqrt(count)
    floor = 0.0 if deviations is None else math.sqrt(float(np.mean(deviations**2)) / count)
    return Spread(float(np.mean(values)), error, count - 1.0, floor)


def of_groups(first: Sequence[Floats], second: Sequence[Floats] = ()) -> Spread:
    """Of first - second without pairs: groups weigh the same, each with two values a side or more; or of first alone.

    Freedom by Welch and Satterthwaite.
    """
    means = [float(np.mean(values)) for values in first] + [-float(np.mean(values)) for values in second]
    each = [of_values(values) for values in (*first, *second)]
    mean, count = math.fsum(means) / len(first), len(first)
    whole = math.fsum(one.error**2 for one in each)
    if whole == 0:
        return Spread(mean, 0.0, math.fsum(one.freedom for one in each))
    freedom = 1 / math.fsum((one.error**2 / whole) ** 2 / one.freedom for one in each)
    return Spread(mean, math.sqrt(whole) / count, freedom)


@functools.lru_cache(maxsize=64)
def _scales(freedom: float) -> tuple[Floats, Floats]:
    """Student's t as a mixture of normals: their inverse deviations, on a grid, and their weights (sum 1)."""
    width = 1 / math.sqrt(2 * freedom)
    top = min(0.5 * math.log1p(2 * _REACH / freedom + 4 * math.sqrt(_REACH / freedom)) + width, 4.0)
    low = -_REACH / freedom - 9 * width
    step = min(0.04, 0.5 * width)
    logs = np.linspace(low, top, min(20_000, math.ceil((top - low) / step) + 1))
    density = freedom * logs - 0.5 * freedom * np.exp(2 * logs)
    weights = np.exp(density - density.max())
    return np.exp(logs), weights / weights.sum()


def _tails(freedom: float, away: float) -> float:
    """Two-sided tail of Student's t."""
    scales, weights = _scales(freedom)
    tails = np.fromiter(map(math.erfc, (away * math.sqrt(0.5) * scales).tolist()), np.float64, len(scales))
    return min(1.0, float(weights @ tails))


@functools.lru_cache(maxsize=4096)
def _quantile(freedom: float, confidence: float) -> float:
    """Half of the width of the interval of Student's t, by bisection."""
    low, high = 0.0, 4.0
    while _tails(freedom, high) > 1 - confidence:
        low, high = high, 2 * high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _tails(freedom, middle) > 1 - confidence else (low, middle)
    return (low + high) / 2
