"""Falls that no restart can explain: a process that ends gives back all that it holds, in every layer. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitors.detection.jumps import restarts
from monitors.detection.series import Series

_OUTER = ("anonymous", "total")
_SHARE = 0.5
"""Of the fall of one layer that the memory around it must lose as well."""
_NEAR = 0.02
"""Share of the trial before and after a fall, over which a level is taken."""


def without_false_restarts(series: Sequence[Series]) -> list[Series]:
    """The series of a trial, those marked as unbroken whose falls the memory around them did not share.

    Live heap that falls while resident memory stays was collected: the process went on. Where steps are known, they say
    when it was started anew, and nothing is marked.
    """
    outer = [one for one in series if one.metric.layer in _OUTER and len(one.t)]
    return [replace(one, unbroken=True) if _contradicted(one, outer) else one for one in series]


def _contradicted(series: Series, outer: Sequence[Series]) -> bool:
    around = [one for one in outer if one.member == series.member and one is not series]
    if series.steps is not None or series.metric.unit != "bytes" or series.metric.layer in _OUTER or not around:
        return False
    falls = restarts(series).tolist()
    return any(_fall(one, series, at) < _SHARE * _fall(series, series, at) for at in falls for one in around)


def _fall(one: Series, series: Series, at: int) -> float:
    """How much less `one` held after a fall of `series` than before it."""
    reach = _NEAR * float(series.t[-1] - series.t[0])
    before, after = float(series.t[at - 1]), float(series.t[at])
    earlier = one.values[(one.t <= before) & (one.t >= before - reach)]
    later = one.values[(one.t >= after) & (one.t <= after + reach)]
    if not len(earlier) or not len(later):
        return np.inf
    return float(np.median(earlier) - np.median(later))
