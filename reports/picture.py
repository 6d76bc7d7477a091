"""A chart as a static SVG: what is seen without a script and on paper. Colours are CSS variables of the page."""

from __future__ import annotations

from html import escape

import numpy as np

from monitors.detection.series import Floats
from reports.chart import Plot, PlotLine, described
from reports.thinning import MOST_DOTS, rethinned
from reports.ticks import time_labels, time_ticks, value_labels, value_ticks

WIDTH, HEIGHT = 520, 200
LEFT, RIGHT, TOP, BOTTOM = 78, 24, 8, 24
_BUCKETS = MOST_DOTS // 2
"""Stretches of time that a line is cut into here, each about three units wide."""


class _Frame:
    """Where values and times lie in the picture."""

    def __init__(self, chart: Plot) -> None:
        self._wide = (WIDTH - LEFT - RIGHT) / chart.end
        self._high = (HEIGHT - TOP - BOTTOM) / (chart.high - chart.low)
        self._low = chart.low

    def x(self, t: Floats | float) -> Floats:
        return np.asarray(LEFT + t * self._wide)

    def y(self, value: Floats | float) -> Floats:
        return np.asarray(HEIGHT - BOTTOM - (value - self._low) * self._high)


def picture(chart: Plot) -> str:
    """An SVG of WIDTH × HEIGHT units that scales with the page. What lies outside the range is cut off, never moved."""
    frame, title = _Frame(chart), escape(described(chart))
    return "".join((
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">',
        *_shades(frame, chart),
        *_axes(frame, chart),
        # An inner picture cuts off what lies outside of it.
        f'<svg x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}" '
        f'viewBox="{LEFT} {TOP} {WIDTH - LEFT - RIGHT} {HEIGHT - TOP - BOTTOM}">',
        *_traces(frame, chart),
        *_lines(frame, chart),
        "</svg>",
        *_marks(frame, chart),
        "</svg>",
    ))  # fmt: skip


def _axes(frame: _Frame, chart: Plot) -> list[str]:
    bottom, right, parts = HEIGHT - BOTTOM, WIDTH - RIGHT, []
    ticks = value_ticks(chart.low, chart.high, chart.unit)
    for value, label in zip(ticks, value_labels(ticks, chart.unit), strict=True):
        y = float(frame.y(value))
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{label}</text>')
    times = time_ticks(chart.end)
    for seconds, label in zip(times, time_labels(times), strict=True):
        x = float(frame.x(seconds))
        parts.append(f'<path class="grid" d="M{x:.1f} {bottom}v4"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{label}</text>')
    parts.append(f'<path class="axis" d="M{LEFT} {bottom}H{right}"/>')
    return parts


def _shades(frame: _Frame, chart: Plot) -> list[str]:
    found: list[tuple[str, float, float]] = []
    if chart.warm:
        found.append(("warm", float(LEFT), min(float(frame.x(chart.warm)), WIDTH - RIGHT)))
    if chart.over is not None:
        found.append(("warm", float(frame.x(chart.over)), WIDTH - RIGHT))
    if chart.broke is not None:
        found.append(("after", float(frame.x(chart.broke[0])), WIDTH - RIGHT))
    return [f'<path class="{kind}" d="M{a:.1f} {TOP}H{b:.1f}V{HEIGHT - BOTTOM}H{a:.1f}z"/>' for kind, a, b in found]


def _traces(frame: _Frame, chart: Plot) -> list[str]:
    """The judged one on top."""
    return [
        f'<path class="{trace.kind}{" beside" if at else ""}" d="{_path(frame, trace)}"/>'
        for at, trace in reversed(list(enumerate(chart.traces)))
    ]


def _path(frame: _Frame, trace: PlotLine) -> str:
    """In tenths of a unit; each point as the way from the one before, which is short."""
    t, values = rethinned(trace.t, trace.values, _BUCKETS)
    known = np.isfinite(values)
    x, y = (np.round(10 * each[known]).astype(int) for each in (frame.x(t), frame.y(values)))
    begins = np.concatenate(([True], ~known[:-1]))[known] | trace.dots
    parts, at = [], (0, 0)
    for px, py, begin in zip(x.tolist(), y.tolist(), begins.tolist(), strict=True):
        parts.append(f"h0M{px / 10:g} {py / 10:g}" if begin else f"l{(px - at[0]) / 10:g} {(py - at[1]) / 10:g}")
        at = (px, py)
    # A line of no length is a dot: what stands alone is seen.
    return "".join(parts).removeprefix("h0").replace(" -", "-") + "h0"


def _lines(frame: _Frame, chart: Plot) -> list[str]:
    upright = [("restart", at) for at in chart.restarts]
    upright += [("onset", chart.onset)] if chart.onset is not None else []
    upright += [("broke", chart.broke[0])] if chart.broke is not None else []
    found = [f'<path class="{kind}" d="M{float(frame.x(at)):.1f} {TOP}V{HEIGHT - BOTTOM}"/>' for kind, at in upright]
    if chart.fit is not None:
        fit = chart.fit
        (x1, y1), (x2, y2) = ((frame.x(t), frame.y(v)) for t, v in ((fit.t0, fit.v0), (fit.t1, fit.v1)))
        found.append(f'<path class="fit" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>')
    return found


def _marks(frame: _Frame, chart: Plot) -> list[str]:
    """A triangle for each pixel in which something happened."""
    places = sorted({round(float(frame.x(at))) for at in chart.marked if 0 <= at <= chart.end})
    path = "".join(f"M{x} {HEIGHT - BOTTOM}l-4 -7h8z" for x in places)
    return [f'<path class="mark" d="{path}"/>'] if path else []
