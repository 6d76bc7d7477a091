"""The rules that people use to tell a leak from a trace, as published: each takes times and bytes, and says yes or no.

Where a rule has times of its own (Precog: 6 h of a trace of days), they are scaled to the trace as to 72 h.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from pymannkendall import hamed_rao_modification_test
from scipy import stats

Rule = Callable[[np.ndarray, np.ndarray], bool]

_MOST = 1000
"""Points given to a rule that needs memory quadratic in them: more cannot be done (250 GiB for three days at 1 Hz)."""
_MIB = 2.0**20


def _thinned(t: np.ndarray, y: np.ndarray, most: int = _MOST) -> tuple[np.ndarray, np.ndarray]:
    every = max(1, -(-len(t) // most))
    return t[::every], y[::every]


def mann_kendall(t: np.ndarray, y: np.ndarray) -> bool:
    """Mann-Kendall, raw: Kendall's tau against time, p < 0.05 and rising."""
    if np.ptp(y) == 0:
        return False
    tau, p = stats.kendalltau(t, y)
    return bool(tau > 0 and p < 0.05)


def mann_kendall_last_half(t: np.ndarray, y: np.ndarray) -> bool:
    """The same over the last half: blind to what ended before."""
    half = len(t) // 2
    return mann_kendall(t[half:], y[half:])


def hamed_rao(t: np.ndarray, y: np.ndarray) -> bool:
    """Mann-Kendall with the variance corrected for serial correlation (Hamed and Rao 1998)."""
    _, kept = _thinned(t, y)
    return bool(np.ptp(kept) > 0 and hamed_rao_modification_test(kept).trend == "increasing")


def ols_r(t: np.ndarray, y: np.ndarray) -> bool:
    """Least squares: p < 0.05, |r| > 0.5 and rising (the PyTorch rule of gpu-memory-profiler)."""
    line = stats.linregress(t, y)
    return bool(line.slope > 0 and line.pvalue < 0.05 and abs(line.rvalue) > 0.5)


def mostly_rising(t: np.ndarray, y: np.ndarray) -> bool:
    """More than 70 % of samples exceed the one before (the TensorFlow rule of gpu-memory-profiler)."""
    return bool(np.mean(np.diff(y) > 0) > 0.7)


def backward_regression(t: np.ndarray, y: np.ndarray) -> bool:
    """A window that ends now, of a fifth of the trace or more, whose line rises with R² >= 0.8 (base of Precog)."""
    t, y = _thinned(t, y)
    return any(_line(t[-n:], y[-n:])[0] >= 0.8 for n in range(max(10, len(t) // 5), len(t) + 1, max(1, len(t) // 40)))


def _line(t: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """R² and slope of a rising line; 0 where it does not rise."""
    line = stats.linregress(t, y)
    return (float(line.rvalue**2), float(line.slope)) if line.slope > 0 else (0.0, 0.0)


def precog(t: np.ndarray, y: np.ndarray) -> bool:
    """Precog with maximum filtration (Jindal et al. 2021), trained on the first half of the trace, asked at its end.

    Trends between change points (modified z-score of differences > 3.5, twelve or fewer parts) with R² > 0.8; a trend
    that goes on to the end, steeper and longer than all trained on, and as high as what was highest. No limit of memory
    is known to a trace, so the time to its exhaustion is not asked for.
    """
    t, y = _smoothed(t, y)
    half = len(t) // 2
    least = (t[-1] - t[0]) / 12
    trained = [trend for trend in _trends(t[:half], y[:half], least) if trend[2] < t[half - 1]]
    slope = max((trend[0] for trend in trained), default=0.0)
    length = max((trend[1] for trend in trained), default=least)
    marks = _change_points(t, y, least)
    for mark in marks[:-1]:
        r2, rate = _line(t[mark:], y[mark:])
        if r2 > 0.8 and rate >= slope and t[-1] - t[mark] >= length:
            return bool(np.min(np.sort(y[marks[-2] :])[-10:]) >= np.median(np.sort(y[:half])[-10:]))
    return False


def _smoothed(t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Five minutes of 72 h become one point, its median; then a running median over an hour of it."""
    count = min(len(t), 864)
    groups = np.array_split(np.arange(len(t)), count)
    values = np.array([np.median(y[g]) for g in groups])
    padded = np.concatenate((np.full(11, np.nan), values))
    return np.array([t[g].mean() for g in groups]), np.nanmedian(
        np.lib.stride_tricks.sliding_window_view(padded, 12), axis=1
    )


def _change_points(t: np.ndarray, y: np.ndarray, least: float) -> list[int]:
    size = np.abs(np.diff(y))
    middle = np.median(size)
    spread = np.median(np.abs(size - middle))
    score = 0.6745 * (size - middle) / spread if spread > 0 else np.where(size > middle, np.inf, 0.0)
    marks = [0]
    for place in (np.flatnonzero(np.abs(score) > 3.5) + 1).tolist():
        if t[place] - t[marks[-1]] >= least:
            marks.append(place)
    return [*marks, len(t) - 1]


def _trends(t: np.ndarray, y: np.ndarray, least: float) -> list[tuple[float, float, float]]:
    """Slope, length and end of every trend."""
    marks, out = _change_points(t, y, least), []
    for i, first in enumerate(marks):
        for last in marks[i + 1 :]:
            if last - first > 2 and t[last] - t[first] >= least:
                r2, slope = _line(t[first:last], y[first:last])
                if r2 > 0.8:
                    out.append((slope, float(t[last] - t[first]), float(t[last])))
    return out


def massif(t: np.ndarray, y: np.ndarray) -> bool:
    """Second half, the highest and lowest twentieth trimmed: maximum minus mean above 100 MB (Triton's soak gate)."""
    late = np.sort(y[len(y) // 2 :])
    cut = len(late) // 20
    kept = late[cut : len(late) - cut]
    return bool(kept[-1] - kept.mean() > 100e6)


def per_hour(limit: float) -> Rule:
    """Least squares above a fixed rate, in bytes an hour."""
    return lambda t, y: bool(stats.linregress(t, y).slope * 3600 > limit)


RULES: Mapping[str, Rule] = {
    "Mann–Kendall, raw": mann_kendall,
    "Mann–Kendall, Hamed–Rao": hamed_rao,
    "Mann–Kendall, last half": mann_kendall_last_half,
    "OLS, p < 0.05 and r > 0.5": ols_r,
    "70 % of samples rise": mostly_rising,
    "backward regression, R² ≥ 0.8": backward_regression,
    "Precog-MF": precog,
    "massif rule, 100 MB": massif,
    "10 MB/h": per_hour(10e6),
    "8 MiB/h": per_hour(8 * _MIB),
}
