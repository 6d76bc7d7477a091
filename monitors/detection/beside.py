"""Steps up of a leak, that it grows by or that are beside its growth: what they mean for its rate. Pure.

Steps are taken out before growth is weighed, so that a buffer that was made once is no leak. Where the rest is shown
to grow, and steps recur up to the last third, they are growth as well: of a count that is brought up to date now and
then, they are most of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from monitors.detection.jumps import MARGIN
from monitors.detection.posterior import Posterior, RateEstimate, steps_of
from monitors.detection.recurring import FEWEST
from monitors.detection.shapes import LATE
from monitors.detection.stats import Floats
from monitors.units import format_value

_NORMAL = 1.96
"""Deviations of a normal variable within which 95 in 100 lie."""
_SMALL = 0.1
"""Share of the largest step below which one is no more than where others were cut."""


@dataclass(frozen=True, slots=True)
class StepsUp:
    """Steps up beside growth. sizes: in the unit of the series. counted: whether they are growth as well."""

    sizes: Floats
    counted: bool

    def added(self, rate: RateEstimate) -> RateEstimate:
        """The rate with them: per unit of x, which is the whole, their sum.

        They came at times of their own. So the deviation of their sum is the root of the sum of their squares, as of a
        compound Poisson process. What was shown to grow without them does grow.
        """
        if not self.counted:
            return rate
        middle = rate.rate + float(self.sizes.sum())
        own = _NORMAL * float(np.sqrt(np.sum(self.sizes**2)))
        low = middle - float(np.hypot(own, rate.rate - rate.low))
        return replace(
            rate, rate=middle, low=max(low, rate.low), high=middle + float(np.hypot(own, rate.high - rate.rate))
        )

    def said(self, unit: str) -> str:
        """In words, after those of the growth."""
        count, total = len(self.sizes), format_value(float(self.sizes.sum()), unit)
        steps = f"{count} jumps of {total} in total" if count > 1 else f"a jump of {total}"
        return f", most of it in {steps}" if self.counted else f", not counting {steps}"


def steps_up(posterior: Posterior, y: Floats, jumps: int, growth: float) -> StepsUp | None:
    """Steps up beside `growth` over the whole, where they are more than that; None where they are not.

    y: blocks of the series, shape (m,). jumps: how many of the columns beside every model are jumps.
    """
    places, sizes = steps_of(posterior, *posterior.best_growing(), y, jumps)
    # What comes first is the warm-up.
    late = places >= posterior.book.x[min(MARGIN, len(y) - 1)]
    kept = late & (np.abs(sizes) > _SMALL * np.abs(sizes).max(initial=0.0))
    places, sizes = places[kept], sizes[kept]
    up = sizes[sizes > 0]
    if not up.sum() > growth:
        return None
    return StepsUp(up, len(up) == len(sizes) >= FEWEST and bool(places[-1] >= LATE))


def of_stairs(rate: RateEstimate, x: Floats, y: Floats, steps: int) -> RateEstimate:
    """The rate of a staircase of few steps: what it rose by after the warm-up, known to a step more or less.

    Shapes that are smooth see a slope of few steps anywhere between them: their interval is kept where it is wider.
    x, y: blocks, shape (m,), x from 0 to 1.
    """
    since = min(MARGIN, len(y) // 2)
    whole = float(x[-1] - x[since])
    middle, step = float(y[-1] - y[since]) / whole, float(np.ptp(y)) / steps / whole
    return replace(rate, rate=middle, low=min(rate.low, middle - step), high=max(rate.high, middle + step))
