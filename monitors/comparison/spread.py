"""A mean whose variance is known from the values themselves: Student's t, with what is known within each value.

The variance of one value has the prior 1 / variance, cut off below what the errors within the values already make, so
that it is never taken for less than those, however alike a few values happen to be. Without such errors this is
Student's t. The mean is then a mixture of normals over that variance, integrated numerically.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
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
        unit = max(self.error, self.floor)
        if unit == 0:
            return 0.0
        return unit * _quantile(self.freedom, self.error / unit, self.floor / unit, confidence)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Ends of that interval."""
        half = self.half(confidence)
        return self.mean - half, self.mean + half

    def beyond(self, value: float = 0.0) -> float:
        """Two-sided p of the mean being `value`: 1 where it is just that."""
        unit, away = max(self.error, self.floor), abs(self.mean - value)
        if away == 0 or unit == 0:
            return 1.0 if away == 0 else 0.0
        return _tails(self.freedom, self.error / unit, self.floor / unit, away / unit)

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


@functools.lru_cache(maxsize=64)
def _scales(freedom: float, error: float, floor: float) -> tuple[Floats, Floats]:
    """Inverse standard errors of the mean, on a grid, and their weights (sum 1)."""
    if error == 0:
        top, low = -math.log(floor), -math.log(floor) - _REACH / freedom
    else:
        peak, width = -math.log(error), 1 / math.sqrt(2 * freedom)
        top = peak + min(0.5 * math.log1p(2 * _REACH / freedom + 4 * math.sqrt(_REACH / freedom)) + width, 4.0)
        low = peak - _REACH / freedom - 9 * width
        if floor > 0:
            top = min(top, -math.log(floor))
            low = min(low, top - _REACH / freedom)
    step = min(0.04, 0.5 / math.sqrt(2 * freedom))
    logs = np.linspace(low, top, min(20_000, math.ceil((top - low) / step) + 1))
    density = freedom * logs - 0.5 * freedom * error**2 * np.exp(2 * logs)
    weights = np.exp(density - density.max())
    weights[[0, -1]] /= 2
    return np.exp(logs), weights / weights.sum()


def _tails(freedom: float, error: float, floor: float, away: float) -> float:
    scales, weights = _scales(freedom, error, floor)
    return min(1.0, float(weights @ _two_tails(away * scales)))


def _two_tails(z: Floats) -> Floats:
    root = math.sqrt(0.5)
    return np.fromiter((math.erfc(each * root) for each in z.tolist()), dtype=np.float64, count=len(z))


@functools.lru_cache(maxsize=4096)
def _quantile(freedom: float, error: float, floor: float, confidence: float) -> float:
    low, high = 0.0, 4.0
    while _tails(freedom, error, floor, high) > 1 - confidence:
        low, high = high, 2 * high
    for _ in range(50):
        middle = (low + high) / 2
        above = _tails(freedom, error, floor, middle) > 1 - confidence
        low, high = (middle, high) if above else (low, middle)
    return (low + high) / 2


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
    freedom = whole**2 / math.fsum(one.error**4 / one.freedom for one in each)
    return Spread(mean, math.sqrt(whole) / count, freedom)
