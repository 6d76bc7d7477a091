"""What is left of a trial after growth that ended, to be judged by itself. Pure.

Beside a ramp that no shape follows exactly, what is small is noise. Where what comes after it is long and settled, that
alone tells how slow a leak would have been seen, and shows leaks that the ramp drowns.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitors.detection.posterior import INEXACT, fading_of
from monitors.detection.series import Series
from monitors.detection.weighed import Weighed

_BEGINS = (0.2, 0.3, 0.4, 0.5, 0.6)
"""Shares of a trial at which its tail may begin: few, as shapes are made anew for each."""
_LATER = 0.1
"""Share of a trial for which it has to be settled before its tail begins, where there is time."""
_LARGER = 2.5
"""Times the range of what is settled by which the series rose to it: of a line that is 2, of growth that ended more."""
_FADED = 4 * INEXACT
"""Share of the range: growth that fades and rises by more over the tail has not ended."""


def after_its_growth(whole: Weighed) -> Series | None:
    """The settled part after growth that ended, 40 % of the trial at least; None where it has none.

    What stays within the range of the last 40 %, and half of that on either side, is settled. A logarithm, or a
    hyperbola, never ends: it goes on, but looks like a leak where its begin is cut off.
    """
    x, y = whole.posterior.book.x, whole.y
    last = y[x >= _BEGINS[-1]]
    range_, level = float(np.ptp(last)), float(np.median(last))
    outside = np.flatnonzero(np.abs(y - (last.min() + last.max()) / 2) > range_)
    if whole.restarts or not len(outside) or level - float(np.median(y[:3])) < _LARGER * range_:
        return None
    settled = float(x[outside[-1]])
    best = whole.posterior.best_growing() if whole.odds > 0 else whole.posterior.best_still()
    fading = fading_of(whole.posterior, *best, y)
    rises = fading[-1] - np.interp(_BEGINS, x, fading)
    ended = (rises < _FADED * np.ptp(y)) & (np.array(_BEGINS) >= min(settled + _LATER, _BEGINS[-1]))
    if not ended.any():
        return None
    series = whole.series
    first = int(np.searchsorted(series.t, whole.origin + _BEGINS[int(np.argmax(ended))] * whole.span))
    # A fall that was no restart amid the whole is none here.
    return replace(series.part(slice(first, None)), unbroken=True)
