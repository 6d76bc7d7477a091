"""What is drawn of a series: made small when its samples are read, as they are too many to keep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitors.detection.floors import is_floor
from monitors.detection.jumps import restarts
from monitors.detection.series import Floats, Series
from monitors.model import Finding, MetricSpec
from monitors.units import format_rate
from reports.chart import Line, Plot, PlotLine
from reports.thinning import BUCKETS, MOST_DOTS, thinned


@dataclass(frozen=True, slots=True)
class Outline:
    """Some KB of a series, however long it is.

    thin: times and values to draw; NaN where samples are missing. floor: whether it is what was held after probes.
    dots: whether these are so few that each is drawn, and no line.
    fit: the fitted growth, where a line can tell it. restarts: seconds at which its process was seen to start anew.
    """

    name: str
    metric: MetricSpec
    member: str
    device: str
    finding: Finding | None
    thin: tuple[Floats, Floats]
    floor: bool = False
    dots: bool = False
    fit: Line | None = None
    restarts: tuple[float, ...] = ()


def outline(series: Series, finding: Finding | None, buckets: int = BUCKETS, probing: float = 0.0) -> Outline:
    """Make a series of at least one sample small. finding: its judgement. probing: share of the time of its probes."""
    floor = is_floor(series)
    dots = floor and len(series.t) <= MOST_DOTS
    anew = series.t[restarts(series)].tolist() if finding is not None and finding.restarts else []
    return Outline(
        series.name, series.metric, series.member, series.device, finding,
        thinned(series.t, series.values, buckets, unbroken=dots), floor, dots, _fit(series, finding, probing),
        tuple(anew),
    )  # fmt: skip


def plot(main: Outline, traces: tuple[PlotLine, ...], end: float) -> Plot:
    """A chart of it. traces: its own first. end: seconds at which the axis of time ends at least."""
    finding = main.finding
    begun = (finding.judged_from if finding else None) or 0.0
    late = finding.onset if finding else None
    return Plot(
        main.name, main.metric.unit, traces, end=end,
        # What is before a late growth is evidence too, and was not left out.
        warm=begun if begun and late is None else None,
        judged=begun if late is None else min(begun, 0.1 * end),
        fit=main.fit, onset=late, restarts=main.restarts,
    )  # fmt: skip


_ENOUGH = 4096
"""Samples that tell how high a line of known slope lies."""
_SEEN = 0.01
"""Share of the time of probes from which on it shows in the slope of a line."""
_BENT = ("warm-up", "saturating", "step", "periodic", "unknown")
"""Shapes whose rate is that of what they leave: a line through the whole would lie."""


def _fit(series: Series, finding: Finding | None, probing: float) -> Line | None:
    """Where it was judged; of what accelerates the last third, as that is what the rate is of."""
    if finding is None or finding.rate_per_hour is None or finding.judged_from is None:
        return None
    if finding.shape in _BENT or finding.restarts:
        return None
    since = max(finding.judged_from, 2 / 3 * float(series.t[-1]) if finding.shape == "accelerating" else 0.0)
    begin = min(int(np.searchsorted(series.t, since)), len(series.t) - 1)
    judged = slice(begin, None, 1 + (len(series.t) - begin) // _ENOUGH)
    # The rate is that of an hour of work; the axis of time has that of probes too.
    t, rate = series.t[judged], finding.rate_per_hour / 3600 * (1 - probing)
    base = float(np.median(series.values[judged] - rate * t))
    first, last = float(t[0]), float(series.t[-1])
    said = f"fitted growth: {format_rate(finding.rate_per_hour, finding.unit)}"
    said += ", probes not counted" if probing >= _SEEN else ""
    return Line(said, first, base + rate * first, last, base + rate * last)
