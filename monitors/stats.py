"""Robust statistics of a series: block floors, Theil-Sen, block bootstrap, correlated noise. NumPy alone, no state.

Every method that is quadratic takes blocks, of which there are at most a few hundred; what takes raw samples is linear.
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
Ints = npt.NDArray[np.int64]

_STANDARD_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Blocks:
    """A series cut into stretches of equal duration; a stretch without a sample is left out.

    t: middle of each stretch, shape (m,). floor and median of its values, shape (m,). start: index of its first sample.
    """

    t: Floats
    floor: Floats
    median: Floats
    start: Ints


def cut_blocks(t: Floats, values: Floats, count: int) -> Blocks:
    """Cut by time into `count` stretches. Cost O(n)."""
    edges = np.linspace(t[0], t[-1], count + 1)
    bounds = np.concatenate(([0], np.searchsorted(t, edges[1:-1], side="right"), [len(t)]))
    full = np.flatnonzero(np.diff(bounds) > 0)
    start = bounds[full]
    floor = np.minimum.reduceat(values, start)
    median = np.array([_median(values[bounds[k] : bounds[k + 1]]) for k in full])
    return Blocks(((edges[:-1] + edges[1:]) / 2)[full], floor, median, start)


def _median(values: Floats) -> float:
    """By selection, O(n); `np.median` costs several times as much on short input."""
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    part = np.partition(values, (middle - 1, middle))
    return float(part[middle - 1] / 2 + part[middle] / 2)


def resolution(values: Floats, sample: int = 4096) -> float:
    """The smallest difference between two distinct values (page size, 1 unit): what is below it cannot be seen.

    Looks at `sample` values spread over the series at most; 0 where all are equal.
    """
    spread = values[:: max(1, len(values) // sample)]
    gaps = np.diff(np.unique(spread))
    return float(gaps.min()) if len(gaps) else 0.0


def roughness(values: Floats, trimmed: float = 0.1) -> float:
    """Standard deviation of white noise that would bend as much, by second differences; blind to trend and steps.

    The `trimmed` share of the largest bends is left out, so that single steps and spikes do not count.
    """
    if len(values) < 4:
        return math.inf
    bends = np.sort(np.abs(np.diff(values, 2)))
    kept = bends[: max(1, math.ceil(len(bends) * (1 - trimmed)))]
    return float(np.sqrt(np.mean(kept**2) / 6))


def without_spikes(values: Floats, threshold: float = 5.0) -> Floats:
    """Replace blocks that stand alone by the median of the five around them (Hampel's filter). Steps stay.

    A block stands alone that differs from that median by `threshold` robust standard deviations of such differences.
    """
    if len(values) < 5:
        return values
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, 2, mode="edge"), 5)
    middle = np.median(windows, axis=1)
    off = np.abs(values - middle)
    scale = 1.4826 * np.median(off)
    spread = np.sqrt(np.mean(np.sort(off)[: max(1, len(off) * 9 // 10)] ** 2))
    return np.where(off > threshold * max(scale, spread, 1e-300), middle, values)


def future_minimum(values: Floats) -> Floats:
    """Running minimum of what is still to come, along the last axis: its growth is what was never given back."""
    return np.minimum.accumulate(values[..., ::-1], axis=-1)[..., ::-1]


def effective_rises(values: Floats) -> float:
    """How many equal rises would make up the growth of a series as its own do: (Σ rise)² / Σ rise².

    Rises are those of the isotonic fit, which noise does not multiply. A ramp has about as many as it has values, a
    staircase as many as stairs. 0 where the fit does not rise.
    References: Barlow et al. 1972 (pool adjacent violators); Kish 1965 (effective size).
    """
    levels: list[tuple[float, int]] = []
    for value in values.tolist():
        level, count = value, 1
        while levels and levels[-1][0] >= level:
            last, size = levels.pop()
            level, count = (level * count + last * size) / (count + size), count + size
        levels.append((level, count))
    rises = np.diff([level for level, _ in levels])
    squares = float(rises @ rises)
    return float(rises.sum()) ** 2 / squares if squares > 0 else 0.0


def theil_sen(x: Floats, y: Floats) -> float:
    """Median of the slopes of all pairs of points: unmoved by up to 29 % of outliers.

    x: shape (m,), any order, not all equal. y: shape (m,). Cost O(m²).
    Returns NaN where no two points differ in x.
    References: Theil 1950; Sen 1968.
    """
    first, second = _pairs(len(x))
    run = x[second] - x[first]
    apart = run != 0
    if not apart.any():
        return math.nan
    return _median((y[second] - y[first])[apart] / run[apart])


@functools.lru_cache(maxsize=64)
def _pairs(m: int) -> tuple[Ints, Ints]:
    first, second = np.triu_indices(m, 1)
    return first.astype(np.int64), second.astype(np.int64)


def bootstrap_slopes(x: Floats, y: Floats, slope: float, draws: int, seed: int) -> Floats:
    """Theil-Sen slopes of `draws` copies of the series, its residuals resampled in moving blocks.

    x, y: shape (m,). The blocks, m^(1/3) residuals or more, keep the correlation of neighbours.
    Returns the slopes in rising order, shape (draws,). Cost O(draws · m²), so give it 60 blocks or fewer.
    Reference: Künsch 1989.
    """
    m = len(x)
    length = min(m, max(2, math.ceil(m ** (1 / 3))))
    residuals = y - slope * x
    residuals = residuals - np.median(residuals)
    generator = np.random.default_rng(seed)
    starts = generator.integers(0, m - length + 1, size=(draws, math.ceil(m / length)))
    picked = (starts[:, :, None] + np.arange(length)).reshape(draws, -1)[:, :m]
    first, second = _pairs(m)
    drawn = residuals[picked]
    slopes = (drawn[:, second] - drawn[:, first]) / (x[second] - x[first])
    return np.sort(slope + np.median(slopes, axis=1))


def student_quantile(p: float, freedom: float) -> float:
    """Quantile of Student's t, by the expansion in 1 / freedom; within 1 % for freedom >= 4 and p <= 0.995.

    Reference: Abramowitz and Stegun 26.7.5.
    """
    z = _STANDARD_NORMAL.inv_cdf(p)
    n = max(freedom, 1.0)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / n + second / n**2 + third / n**3


def normal_quantiles(count: int) -> Floats:
    """`count` values that stand for a standard normal variable: its quantiles at (k - 1/2) / count."""
    return np.array([_STANDARD_NORMAL.inv_cdf((k + 0.5) / count) for k in range(count)])


@functools.lru_cache(maxsize=64)
def whitener(m: int, memory: float, white: float = 0.0) -> Floats:
    """Matrix that turns correlated noise into white noise, scaled so that densities can be compared. Shape (m, m).

    memory: correlation of neighbours (AR(1)), 0 to < 1. white: variance of white noise on top, in units of the
    innovations' variance. The determinant is 1: log-likelihoods of differently whitened series differ by their sums of
    squares alone.
    """
    if memory == 0:
        return np.eye(m)
    lag = np.abs(np.subtract.outer(np.arange(m), np.arange(m)))
    covariance = memory**lag / (1 - memory**2) + white * np.eye(m)
    root = np.linalg.cholesky(covariance)
    scale = math.exp(float(np.mean(np.log(np.diag(root)))))
    return np.asarray(np.linalg.solve(root / scale, np.eye(m)), dtype=np.float64)


def orthonormal(columns: Sequence[Floats]) -> tuple[list[Floats], list[Floats]]:
    """Gram-Schmidt over a stack of designs at once, each step done twice, which is enough for double precision.

    columns: the designs' 1st, 2nd, … columns, each of shape (designs, m).
    Returns the orthonormal columns likewise, and the length that was left of each column, shape (designs,). A column
    that the ones before it span has length 0 and becomes 0.
    """
    basis: list[Floats] = []
    lengths: list[Floats] = []
    for column in columns:
        rest, whole = column, np.linalg.norm(column, axis=1)
        for _ in range(2):
            for other in basis:
                rest = rest - other * np.sum(rest * other, axis=1, keepdims=True)
        length = np.linalg.norm(rest, axis=1)
        length = np.where(length > 1e-7 * whole, length, 0.0)
        basis.append(np.where(length[:, None] > 0, rest / np.where(length > 0, length, 1.0)[:, None], 0.0))
        lengths.append(length)
    return basis, lengths
