"""A clock that goes as a worker steps, for growth that follows its steps. Pure.

On a busy machine the pace of a trial changes, by a fifth and more within minutes. Growth by steps is no line over time
then, and what bends it is neither a leak that fades nor one that gets worse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from monitors.detection.series import Floats, Series
from monitors.model import Finding

_UNEVEN = 0.005
"""Share of a trial by which its steps have to be ahead or behind of an even pace, at some time."""
_CLEARER = 0.8
"""What a line over steps leaves over, as a part of what a line over time does, at the most."""
_LINE = 0.05
"""The same as a part of all that the series varies by: of what is no line at all, neither clock says anything."""


@dataclass(frozen=True, slots=True)
class SeriesBySteps:
    """A series by a clock of its own.

    clock: that clock, at each time of the series as it was, shape (n,); both begin and end at the same.
    """

    series: Series
    t: Floats
    clock: Floats

    def placed(self, finding: Finding) -> Finding:
        """The finding, with its times by the usual clock."""
        return replace(finding, judged_from=self._at(finding.judged_from), onset=self._at(finding.onset))

    def _at(self, t: float | None) -> float | None:
        return None if t is None else float(np.interp(t, self.clock, self.t))


def paced(series: Series) -> SeriesBySteps:
    """The series at even steps, if its growth follows steps more closely than time; at its times if it does not."""
    steps = series.steps
    if steps is None or len(steps) < 3 or not (steps[0] > 0 and np.all(np.diff(steps) > 0)):
        return SeriesBySteps(series, series.t, series.t)
    done = (steps - steps[0]) / (steps[-1] - steps[0])
    clock = series.t[0] + done * (series.t[-1] - series.t[0])
    uneven = float(np.abs(clock - series.t).max()) > _UNEVEN * float(series.t[-1] - series.t[0])
    left, varies = _left(clock, series.values), len(steps) * float(np.var(series.values))
    if not uneven or left > min(_CLEARER * _left(series.t, series.values), _LINE * varies):
        return SeriesBySteps(series, series.t, series.t)
    even = np.linspace(clock[0], clock[-1], len(clock))

    def at(values: Floats) -> Floats:
        return np.interp(even, clock, values)

    doses = {name: at(dose) for name, dose in series.doses.items()}
    by_steps = replace(series, t=even, values=at(series.values), steps=at(steps), doses=doses)
    return SeriesBySteps(by_steps, series.t, clock)


def _left(t: Floats, values: Floats) -> float:
    """Squares that a line leaves over."""
    x = t - t.mean()
    y = values - values.mean()
    return float(y @ y - (x @ y) ** 2 / (x @ x))
