"""The decision: does a series of blocks show lasting growth, and how small a leak would still have been seen in it.

Growth counts as shown when every guard holds. Each guard gives a margin: above 0 it holds, and the further above, the
surer. The smallest leak that would have been seen is found by planting leaks into the noise of the very series and
putting them through the same decision, so the two cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitors.shapes import Dictionary, Fits, colour, fit, parts
from monitors.stats import Floats, effective_rises, future_minimum, student_quantile

GUARDS = ("evidence", "certainty", "rate", "growth", "lasting", "jump", "kept", "rises")

_EVIDENCE = 5.0
"""Nats of BIC by which growth must beat the best shape without: 1 : 150."""
_CERTAINTY = 4.0
"""Standard errors by which the rate must exceed 0."""
_LASTING = 0.6
"""Share of the rate that the last half must keep, unless noise can explain less."""
_JUMP = 0.6
"""Share of the growth that may come in one jump."""
_KEPT = 0.25
"""Share of the growth that must never be given back."""
_RISES = 5.5
"""Rises that growth must consist of, counted as if equal: an allocator's high-water mark creeps up in a few."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What growth must exceed.

    rate: per unit of x. growth: over the judged part, in the series' unit. grain: resolution of the values, above 0.
    """

    rate: float
    growth: float
    grain: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Decisions:
    """Of each of k series. margins: of each guard in the order of GUARDS, shape (k, guards). start: x where growth
    begins or is seen alone, shape (k,)."""

    fits: Fits
    margins: Floats
    start: Floats

    @property
    def leak(self) -> Floats:
        """1 where every guard holds, shape (k,)."""
        return np.asarray(np.all(self.margins > 0, axis=1), dtype=np.float64)


def decide(book: Dictionary, series: Floats, limits: Limits) -> Decisions:
    """Decide on every row of `series`, shape (k, m)."""
    fits = fit(book, series, limits.grain / np.sqrt(12))
    beyond = np.array([student_quantile((1 + limits.confidence) / 2, f) for f in fits.freedom])
    certain = fits.rate / fits.error
    start = np.array([_start(book, g) for g in fits.growing])
    growth = fits.rate * (1 - start)
    trace = np.stack([_trace(book, fits, k, row, start[k]) for k, row in enumerate(series)])
    lasting, jump, kept, rises = trace.T
    # With little certainty, the last half says little of its own.
    slack = 1.3 * 2**1.5 / np.maximum(certain, 1e-9)
    margins = np.stack(
        [
            (fits.evidence - _EVIDENCE) / 2,
            certain - _CERTAINTY * beyond / 1.96,
            (fits.rate - beyond * fits.error - limits.rate) / fits.error,
            np.log(np.maximum(growth, 1e-300) / limits.growth) * 4,
            (lasting + slack - _LASTING) * 10,
            (_JUMP - jump) * 10,
            (kept - _KEPT) * 10,
            np.log(np.maximum(rises, 1e-300) / _RISES) * 5,
        ],
        axis=1,
    )
    return Decisions(fits, margins, start)


def _start(book: Dictionary, growing: int) -> float:
    shape = book.growing[growing]
    first = float(book.x[0])
    return max(first, shape.settled if shape.name == "late onset" else min(shape.settled, 0.5))


def _trace(book: Dictionary, fits: Fits, k: int, y: Floats, start: float) -> Floats:
    """Of one series: share of the rate that the last half keeps, share of the largest jump, share never given back,
    number of rises."""
    shape = book.growing[int(fits.growing[k])]
    still, _ = parts(book, shape, int(fits.growing_noise[k]), y)
    judged = book.x >= start
    x, grown, raw = book.x[judged], (y - still)[judged], y[judged]
    if len(x) < 6:
        return np.array([0.0, 1.0, 0.0, 0.0])
    half = len(x) // 2
    rate, growth = float(fits.rate[k]), max(float(fits.rate[k]) * (1 - start), 1e-300)
    lasting = _slope(x[half:], grown[half:]) / max(rate, 1e-300)
    windows = np.lib.stride_tricks.sliding_window_view(grown, 3)
    middle = np.median(windows, axis=1)
    jump = float(np.max(middle[3:] - middle[:-3])) / growth if len(middle) > 3 else 1.0
    floor = future_minimum(raw)
    kept = (floor[int(0.85 * len(x))] - floor[0]) / growth
    return np.asarray(np.clip([lasting, jump, kept, effective_rises(grown)], -1e6, 1e6), dtype=np.float64)


def _slope(x: Floats, y: Floats) -> float:
    run = x - x.mean()
    return float(run @ y / (run @ run))


def smallest_seen(
    book: Dictionary, still: Floats, residuals: Floats, noise: int, limits: Limits, seed: int, draws: int = 20
) -> float | None:
    """The smallest linear growth per unit of x that the decision finds in 95 % of draws of this noise.

    still: what the series does without growth, shape (m,). residuals: what is left of it, shape (m,); it is drawn anew
    as noise of kind `noise`, so its correlation stays. None where no growth, however fast, would be found.
    """
    generator = np.random.default_rng(seed)
    calm = still + np.stack([colour(book, noise, generator.permutation, residuals) for _ in range(draws)])
    ramp = book.x - book.x[0]

    def seen(rate: float) -> bool:
        return float(decide(book, calm + rate * ramp, limits).leak.mean()) >= 0.95

    spread = float(np.std(residuals)) / np.sqrt(len(residuals)) + limits.grain
    low = high = max(limits.rate, spread)
    for _ in range(24):
        if seen(high):
            break
        low, high = high, 2 * high
    else:
        return None
    for _ in range(5 if high > low else 0):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if seen(middle) else (middle, high)
    return float(high)
