"""Falls that no restart can explain: a process that ends gives back all that it holds, in every layer. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitors.detection.jumps import restarts
from monitors.detection.series import Series

_OUTER = ("anonymous", "total")
_CHILDREN = "children"
_SHARE = 0.5
"""Of the fall of one layer that the memory around it must lose as well; or a process that lived on, by itself."""
_NEAR = 0.02
"""Share of the trial before and after a fall, over which a level is taken."""


def without_false_restarts(series: Sequence[Series], processes: Sequence[Series] = ()) -> list[Series]:
    """The series of a trial, those marked as unbroken of which it is known that a fall was no restart.

    Live heap that falls while resident memory stays was collected: the process went on. So it did where the tree of a
    member never had another process than its first, or one that was there before and after lost what fell: a collection
    or a dropped cache gave it back. Where steps are known, they say when it was started anew, and nothing is marked.

    processes: series of single processes.
    """
    outer = [one for one in series if one.metric.layer in _OUTER and len(one.t)]
    counts = [one for one in series if one.metric.name == _CHILDREN and len(one.t)]
    alone = {one.member for one in counts if not one.values.any()}

    def is_unbroken(one: Series) -> bool:
        if one.steps is not None or one.metric.unit != "bytes":
            return False
        return one.member in alone or _contradicted(one, outer) or _outlived(one, processes)

    return [replace(one, unbroken=True) if is_unbroken(one) else one for one in series]


def _contradicted(series: Series, outer: Sequence[Series]) -> bool:
    around = [one for one in outer if one.member == series.member and one is not series]
    if series.metric.layer in _OUTER or not around:
        return False
    falls = restarts(series).tolist()
    return any(_fall(one, series, at) < _SHARE * _fall(series, series, at) for at in falls for one in around)


def _outlived(series: Series, processes: Sequence[Series]) -> bool:
    """Whether a single process of its member held most of what fell, and was there afterwards."""
    own = [one for one in processes if one.member == series.member]
    falls = restarts(series).tolist() if own else []
    return any(
        _SHARE * _fall(series, series, at) <= (lost := _fall(one, series, at)) and np.isfinite(lost)
        for at in falls
        for one in own
    )


def _fall(one: Series, series: Series, at: int) -> float:
    """How much less `one` held after a fall of `series` than before it; infinite where it was not there for both."""
    reach = _NEAR * float(series.t[-1] - series.t[0])
    before, after = float(series.t[at - 1]), float(series.t[at])
    earlier = one.values[(one.t <= before) & (one.t >= before - reach)]
    later = one.values[(one.t >= after) & (one.t <= after + reach)]
    if not len(earlier) or not len(later):
        return np.inf
    return float(np.median(earlier) - np.median(later))
