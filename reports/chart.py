"""A chart as plain arrays: measured values over time, and what was made of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitors.detection.series import Floats
from monitors.text import printable
from monitors.units import format_value

_LEAST_SPAN = {"bytes": 2.0**20, "count": 4.0, "seconds": 1e-3, "ratio": 0.01, "value": 1e-6}
"""The smallest range of the vertical axis: noise must not look like a cliff."""
_FAR = 4.0
"""Times its own range beyond which values of another trace or chart would squash a chart into a line."""
_MARGIN = 0.06


@dataclass(frozen=True, slots=True)
class PlotLine:
    """Values of one kind. t, values: as `thinning.thinned` gives them; NaN breaks the line. dots: not joined."""

    label: str
    t: Floats
    values: Floats
    dots: bool = False

    @property
    def kind(self) -> str:
        """Class of what is drawn."""
        return "dots" if self.dots else "line"


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line from (`t0`, `v0`) to (`t1`, `v1`)."""

    label: str
    t0: float
    v0: float
    t1: float
    v1: float


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn.

    name: for who cannot see it. unit: of the values.
    traces: the first is the one that was judged, and sets the range of values that is shown; at least one sample each.
    tone: class of the colour, the name of a framework.
    end: seconds at which the axis of time ends at least, so that charts side by side compare.
    warm: seconds of warm-up, which was not judged. over: seconds from which on it was not judged either.
    judged: seconds from which on values set the range.
    fit: the fitted growth. onset: seconds at which a late growth begins.
    restarts: when the process was started anew. broke: from when on nothing was judged, and why.
    marks: name of the events in `marks` that are marked on the axis of time; their times.
    low, high: the range of values that is shown; `figures` sets it.
    """

    name: str
    unit: str
    traces: tuple[PlotLine, ...]
    tone: str = ""
    end: float = 0.0
    warm: float | None = None
    over: float | None = None
    judged: float = 0.0
    fit: Line | None = None
    onset: float | None = None
    restarts: tuple[float, ...] = ()
    broke: tuple[float, str] | None = None
    marks: str = ""
    marked: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 1.0

    @property
    def last(self) -> float:
        """Seconds at which the axis of time ends."""
        return max(self.end, *(float(trace.t[-1]) for trace in self.traces), 1e-9)


def shared(ranges: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """One scale for charts that stand side by side: the same range for all, or where their levels lie so far apart
    that nothing could be seen, ranges of the same size, each about its own level."""
    if not ranges:
        return []
    low, high, size = min(r[0] for r in ranges), max(r[1] for r in ranges), max(r[1] - r[0] for r in ranges)
    if high - low <= _FAR * size:
        return [(low, high)] * len(ranges)
    middles = [(a + b) / 2 if a else size / 2 for a, b in ranges]
    return [(middle - size / 2, middle + size / 2) for middle in middles]


def outside(chart: Plot, trace: PlotLine) -> bool:
    """Whether some of its values are not within the range that is shown."""
    return bool((trace.values < chart.low).any() or (trace.values > chart.high).any())


def described(chart: Plot) -> str:
    """In a sentence, for who cannot see it."""
    values = chart.traces[0].values
    first, last = (format_value(float(value), chart.unit) for value in (values[0], values[-1]))
    return printable(f"{chart.name}: {first} at first, {last} at last")


def own_range(chart: Plot) -> tuple[float, float]:
    """The range of values to show of a chart that stands alone.

    Imports and warm-up would squash what is judged into a line, and so would what lies far from it.
    """
    low, high = _extent(chart.traces[0], chart.judged)
    least = max(_LEAST_SPAN[chart.unit], 0.002 * abs(high))
    for other in chart.traces[1:]:
        a, b = _extent(other, chart.judged)
        if max(high, b) - min(low, a) <= _FAR * max(high - low, least):
            low, high = min(low, a), max(high, b)
    if high - low < least:
        middle = (high + low) / 2
        floor = 0.0 if low >= 0 > middle - least / 2 else middle - least / 2
        low, high = floor, floor + least
    margin = _MARGIN * (high - low)
    return (0.0 if low == 0.0 else low - margin), high + margin


def _extent(trace: PlotLine, since: float) -> tuple[float, float]:
    judged = trace.values[(trace.t >= since) & np.isfinite(trace.values)]
    values = judged if len(judged) else trace.values
    return float(np.nanmin(values)), float(np.nanmax(values))
