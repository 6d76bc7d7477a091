"""How much of the machine other programs took while the trials of a run ran. Pure.

Of all the time that processors worked, what the trials of the run and soak itself took is left out. What is left is of
other programs, and of the short-lived processes that judge and report for soak.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from monitors.detection.series import Floats, Series
from reports.record import TrialInfo

_ALL, _TRIAL, _TESTER = "host_cpu_seconds", "cpu_seconds", "tester_cpu_seconds"
_Curve = tuple[Floats, Floats]
"""Unix times and seconds of processors so far, both shape (n,)."""


def others_of(trials: Sequence[tuple[TrialInfo, Sequence[Series]]]) -> dict[int, float]:
    """By the index of a trial: how many processors other programs took on average; absent where that is not told.

    trials: all of one run, with their series: those that ran at the same time are no other programs.
    """
    own = [curve for info, series in trials for curve in _curves(info, series, _TRIAL)]
    found = {}
    for info, series in trials:
        for t, busy in _curves(info, series, _ALL):
            span = float(t[-1] - t[0])
            ours = [*own, *_curves(info, series, _TESTER)]
            spent = sum(_within(curve, float(t[0]), float(t[-1])) for curve in ours)
            found[info.index] = max(0.0, (float(busy[-1] - busy[0]) - spent) / span)
    return found


def _curves(info: TrialInfo, series: Iterable[Series], name: str) -> list[_Curve]:
    """Of each member that has one."""
    if info.started is None:
        return []
    these = [one for one in series if one.metric.name == name and len(one.t) > 1]
    return [(info.started + one.t, one.values) for one in these]


def _within(curve: _Curve, begin: float, end: float) -> float:
    """Before it began it had taken nothing, and after its end nothing more."""
    first, last = np.interp([begin, end], *curve, left=0.0)
    return float(last - first)
