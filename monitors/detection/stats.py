"""Statistics of a series: blocks, roughness, spikes, correlated noise, the normal and Student's t. NumPy alone.

Every method that is quadratic takes blocks, of which there are at most a few dozen; what takes raw samples is linear.
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
_FEW = 4
"""Samples of a block, up to which half a wait between two is much of it."""
_STRETCH = 3
"""Neighbouring blocks from which on what stands out may be a slope beside a step; fewer are a spike."""
SETTLING, FILLING = -2.0, -3.0
_SETTLES, _FILLS = 0.005, 0.08
"""Share of a series after which a settling walk's steps begin to fade, and over which those of a filling one do."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """A series cut into stretches of equal duration; a stretch without a sample is left out.

    t: middle of each stretch, shape (m,). floor, median and mean of its values, shape (m,). start: index of its first
    sample.
    """

    t: Floats
    floor: Floats
    median: Floats
    mean: Floats
    start: Ints


def cut_blocks(
    t: Floats, values: Floats, count: int, floors: Floats | None = None, means: Floats | None = None
) -> Blocks:
    """Cut by time into `count` stretches. Cost O(n).

    A sample of few stands for half a wait before it and after it: else the blocks would lie closer together than the
    samples do, and every rate would come out too fast, by one part in as many as there are samples.
    floors, means: where each value is the median of several samples, their least and mean, shape (n,).
    """
    half = (t[-1] - t[0]) / (2 * (len(t) - 1)) if 1 < len(t) <= _FEW * count else 0.0
    edges = np.linspace(t[0] - half, t[-1] + half, count + 1)
    bounds = np.concatenate(([0], np.searchsorted(t, edges[1:-1], side="right"), [len(t)]))
    full = np.flatnonzero(np.diff(bounds) > 0)
    start = bounds[full]
    floor = np.minimum.reduceat(values if floors is None else floors, start)
    mean = np.add.reduceat(values if means is None else means, start) / np.diff(np.append(start, len(values)))
    median = np.array([_median(values[bounds[k] : bounds[k + 1]]) for k in full])
    return Blocks(((edges[:-1] + edges[1:]) / 2)[full], floor, median, mean, start)


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


def without_spikes(values: Floats, threshold: float = 5.0, width: int = 5) -> Floats:
    """Replace blocks that stand alone by the median of the `width` around them (Hampel's filter). Steps stay.

    A block stands alone that differs from that median by `threshold` robust standard deviations of such differences.
    What stands out for fewer than half of `width` blocks and comes back, up or down, goes. What stays on the other side
    of a step does not come back: on a slope, the blocks beside a step differ from the median around them as well. Near
    the ends of a series that cannot be told from a start-up or a spike.
    """
    if len(values) < width:
        return values
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, width // 2, mode="edge"), width)
    middle = np.median(windows, axis=1)
    off = np.abs(values - middle)
    scale = 1.4826 * np.median(off)
    spread = np.sqrt(np.mean(np.sort(off)[: max(1, len(off) * 9 // 10)] ** 2))
    alone = off > threshold * max(scale, spread, 1e-300)
    for begin, end in _runs(alone):
        inside = begin >= width and end <= len(values) - width
        if inside and end - begin >= _STRETCH and abs(values[end] - values[begin - 1]) > off[begin:end].max():
            alone[begin:end] = False
    return np.where(alone, middle, values)


def _runs(chosen: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Begin and end of each stretch of neighbours that are chosen."""
    edges = np.flatnonzero(np.diff(chosen, prepend=False, append=False))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def normal_cdf(z: Floats) -> Floats:
    """Of the standard normal, within 1.5e-7. Reference: Abramowitz and Stegun 7.1.26."""
    a = np.abs(z) / math.sqrt(2)
    t = 1 / (1 + 0.3275911 * a)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    tail = poly * np.exp(-np.minimum(a * a, 700.0)) / 2
    return np.where(z > 0, 1 - tail, tail)


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


@functools.lru_cache(maxsize=64)
def whitener(m: int, memory: float, white: float = 0.0) -> Floats:
    """Matrix that turns correlated noise into white noise, scaled so that densities can be compared. Shape (m, m).

    memory: correlation of neighbours (AR(1)), -1 to 1; or `SETTLING` for a walk whose steps fade as 1 / time, `FILLING`
    for one whose steps fade exponentially. white: variance of white noise on top, in units of the innovations'
    variance, of a settling walk's halfway, of all of a filling one's. The determinant is 1: log-likelihoods of
    differently whitened series differ by their sums of squares alone.
    """
    if memory == 0:
        return np.eye(m)
    passed = (np.arange(m) + 0.5) / m
    if memory == SETTLING:
        passed = np.log1p(passed / _SETTLES)
        covariance = np.minimum.outer(passed, passed) + white * 2 / m * np.eye(m)
    elif memory == FILLING:
        passed = -np.expm1(-passed / _FILLS)
        covariance = np.minimum.outer(passed, passed) + white * np.eye(m)
    else:
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
