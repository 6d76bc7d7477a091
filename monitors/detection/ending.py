"""How a process goes at the end of a trial: what it gives back there is no part of its course. Pure."""

from __future__ import annotations

import numpy as np

from monitors.detection.series import Floats, Series

_FEWEST = 40
"""Samples from which an end can be told."""
_BEFORE, _END = 2 / 3, 0.95
"""Shares of the time between which lies what the end is held against."""


def without_its_end(series: Series) -> Series:
    """The series up to where its last fall began, if that is how a process ends.

    Over the last 5 % of the time it falls below all that it was in the third before, and by more than it moved there.
    Such a fall may take seconds, and would be fitted as a part of the course.
    """
    if len(series.t) < _FEWEST:
        return series
    passed = (series.t - series.t[0]) / (series.t[-1] - series.t[0])
    before = series.values[(passed >= _BEFORE) & (passed <= _END)]
    if not len(before):
        return series
    last = int(np.flatnonzero(series.values >= before.min())[-1])
    last = _top(series.values, last, int(np.flatnonzero(passed <= _END)[-1]))
    fell = float(series.values[last] - series.values[last:].min())
    return series.part(slice(0, last + 1)) if fell > np.ptp(before) else series


def _top(values: Floats, last: int, first: int) -> int:
    """Index from `first` on where the fall began that goes on at `last`."""
    while last > first and values[last - 1] > values[last]:
        last -= 1
    return last
