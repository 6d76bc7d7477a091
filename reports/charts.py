"""A series as an SVG: what was measured, the fitted growth, what was left out as burn-in, what happened meanwhile.

Colours are CSS variables of the page. Drawn on the server: nothing runs in the browser.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from monitors.detection.series import Floats, Series
from monitors.model import Event, Finding, MetricSpec
from monitors.text import printable
from monitors.units import format_duration, format_rate, format_value

WIDTH, HEIGHT = 520, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 10, 10, 24
_BUCKETS = 220
"""Stretches of time that a line is cut into; of each the first, lowest, highest and last value are drawn."""
_LEAST_SPAN = {"bytes": 2.0**20, "count": 4.0, "seconds": 1e-3, "ratio": 0.01, "value": 1e-6}
"""The smallest range of the vertical axis: noise must not look like a cliff."""
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_TIME_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where values and times lie in the picture."""

    start: float
    end: float
    low: float
    high: float

    def x(self, t: float) -> float:
        """Pixels from the left."""
        return _LEFT + (t - self.start) / max(self.end - self.start, 1e-9) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        return HEIGHT - _BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - _TOP - _BOTTOM)


@dataclass(frozen=True, slots=True)
class Outline:
    """What is drawn of a series, in some KB however long it is.

    thin: times and values of the line. first, last, least: of all values. wait: seconds between two samples, usually.
    base: where the line of the fitted growth meets time 0; None where there is none to be drawn.
    """

    name: str
    metric: MetricSpec
    member: str
    device: str
    finding: Finding | None
    thin: tuple[Floats, Floats]
    first: float
    last: float
    least: float
    wait: float
    judged: tuple[float, float] | None
    """Times of the first and the last judged sample."""
    base: float | None


def outline(series: Series, finding: Finding | None) -> Outline:
    """Make a series of at least one sample small. finding: its judgement."""
    t, values = series.t, series.values
    judged, base = _judged(series, finding)
    return Outline(
        series.name, series.metric, series.member, series.device, finding, decimate(t, values), float(values[0]),
        float(values[-1]), float(values.min()), float(np.median(np.diff(t))) if len(t) > 2 else math.inf, judged, base,
    )  # fmt: skip


def _judged(series: Series, finding: Finding | None) -> tuple[tuple[float, float] | None, float | None]:
    if finding is None or finding.rate_per_hour is None or finding.judged_from is None:
        return None, None
    judged = series.t >= finding.judged_from
    if finding.shape in ("warm-up", "saturating", "step", "periodic") or not judged.any():
        # The rate is that of what the shape leaves; a line through the whole would lie.
        return None, None
    t = series.t[judged]
    base = float(np.median(series.values[judged] - finding.rate_per_hour / 3600 * t))
    return (float(t[0]), float(t[-1])), base


def chart(drawn: Outline, events: Sequence[Event], tone: str, end: float) -> str:
    """An SVG of WIDTH × HEIGHT units that scales with the page.

    Args:
        drawn: the series, with the judgement whose fit is drawn if it has one.
        events: of the trial, marked on the axis of time.
        tone: class of the line, the name of a framework.
        end: seconds at which the axis of time ends, so that charts side by side compare.
    """
    thin, finding, unit = drawn.thin, drawn.finding, drawn.metric.unit
    frame = _frame(drawn, _shown(thin, finding), end)
    title = f"{printable(drawn.name)}: {format_value(drawn.first, unit)} at first, " \
            f"{format_value(drawn.last, unit)} at last"  # fmt: skip
    parts = [
        f'<svg class="chart {escape(tone)}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
        *_burn_in(frame, finding),
        *_axes(frame, unit),
        f'<path class="line" d="{_path(frame, thin, 4 * drawn.wait)}"/>',
        *_fit(frame, drawn),
        *_onset(frame, finding),
        *_broken(frame, events),
        *_marks(frame, events),
        "</svg>",
    ]
    return "".join(parts)


def decimate(t: Floats, values: Floats, buckets: int = _BUCKETS) -> tuple[Floats, Floats]:
    """At most 4 · `buckets` points whose line covers the same pixels: of each bucket first, lowest, highest, last."""
    if len(t) <= 4 * buckets:
        return t, values
    edges = np.searchsorted(t, np.linspace(t[0], t[-1], buckets + 1)[:-1], side="left")
    starts = np.unique(edges)
    ends = np.append(starts[1:], len(t))
    kept = {0, len(t) - 1}
    for first, after in zip(starts.tolist(), ends.tolist(), strict=True):
        part = values[first:after]
        kept |= {first, after - 1, first + int(part.argmin()), first + int(part.argmax())}
    index = np.array(sorted(kept))
    return t[index], values[index]


def _shown(thin: tuple[Floats, Floats], finding: Finding | None) -> Floats:
    """The values that set the vertical axis: imports and warm-up would squash what is judged into a line."""
    t, values = thin
    if finding is None or finding.judged_from is None:
        return values
    warm = finding.judged_from if finding.onset is None else min(finding.judged_from, 0.1 * float(t[-1]))
    judged = values[t >= warm]
    return judged if len(judged) else values


def _frame(drawn: Outline, shown: Floats, end: float) -> Frame:
    low, high = float(shown.min()), float(shown.max())
    least = max(_LEAST_SPAN[drawn.metric.unit], 0.002 * abs(high))
    if high - low < least:
        middle = (high + low) / 2
        low, high = middle - least / 2, middle + least / 2
        if drawn.least >= 0 > low:
            low, high = 0.0, least
    margin = 0.06 * (high - low)
    floor = 0.0 if low == 0.0 else low - margin
    return Frame(0.0, max(end, float(drawn.thin[0][-1])), floor, high + margin)


def _path(frame: Frame, thin: tuple[Floats, Floats], longest: float) -> str:
    t, values = thin
    waits = np.diff(t, prepend=t[0])
    # Decimated points stand apart by up to a bucket.
    broken = waits > max(longest, 2.2 * float(t[-1] - t[0]) / _BUCKETS if len(t) > _BUCKETS else 0.0)
    x = _LEFT + (t - frame.start) / max(frame.end - frame.start, 1e-9) * (WIDTH - _LEFT - _RIGHT)
    inside = np.clip(values, frame.low, frame.high)
    y = HEIGHT - _BOTTOM - (inside - frame.low) / (frame.high - frame.low) * (HEIGHT - _TOP - _BOTTOM)
    points = zip(x.tolist(), y.tolist(), broken.tolist(), strict=True)
    return "".join(f"{'M' if i == 0 or b else 'L'}{px:.1f} {py:.1f}" for i, (px, py, b) in enumerate(points))


def _axes(frame: Frame, unit: str) -> list[str]:
    parts = []
    ticks = value_ticks(frame.low, frame.high, unit)
    for value, label in zip(ticks, value_labels(ticks, unit), strict=True):
        y = frame.y(value)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{label}</text>')
    bottom = HEIGHT - _BOTTOM
    for seconds in time_ticks(frame.end):
        x = frame.x(seconds)
        label = format_duration(seconds) if seconds else "0"
        anchor = "end" if x > WIDTH - 40 else "middle"
        parts.append(f'<path class="grid" d="M{x:.1f} {bottom}v4"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="{anchor}">{label}</text>')
    parts.append(f'<path class="axis" d="M{_LEFT} {bottom}H{WIDTH - _RIGHT}"/>')
    return parts


def value_ticks(low: float, high: float, unit: str, most: int = 5) -> list[float]:
    """Round values within the range: 1, 2 or 5 times a power of ten, of bytes times a power of 1024."""
    span = (high - low) / most
    # Round in the unit of the labels: of 250 MiB, ticks are 0.2 MiB apart and not 200 KiB.
    base = 1024.0 ** _binary(max(abs(low), abs(high))) if unit == "bytes" else 1.0
    size = 10.0 ** math.floor(math.log10(span / base))
    step = next(s * size * base for s in (1, 2, 5, 10) if s * size * base >= span * 0.999)
    if unit == "count":
        step = max(1.0, round(step))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def value_labels(ticks: Sequence[float], unit: str) -> list[str]:
    """A label for each tick, with as many decimals as it takes to tell them apart."""
    labels = [format_value(tick, unit) for tick in ticks]
    power = _binary(max(map(abs, ticks), default=0.0))
    scale, name = {"bytes": (1024.0**power, f" {_BINARY[power]}"), "seconds": (1.0, " s"), "ratio": (0.01, " %")}.get(
        unit, (1.0, "")
    )
    for decimals in range(10):
        if len(set(labels)) == len(ticks):
            break
        labels = [f"{tick / scale:,.{decimals}f}{name}" for tick in ticks]
    return labels


def _binary(size: float) -> int:
    """The power of 1024 that such a number of bytes is written in."""
    return min(math.floor(math.log(max(size, 1.0), 1024)), len(_BINARY) - 1)


def time_ticks(end: float, most: int = 6) -> list[float]:
    """Round times from 0 to `end` seconds."""
    step = next((s for s in _TIME_STEPS if end / s <= most), 86400 * math.ceil(end / 86400 / most))
    return [float(k * step) for k in range(int(end // step) + 1)]


def _burn_in(frame: Frame, finding: Finding | None) -> list[str]:
    if finding is None or not finding.judged_from or finding.onset is not None:
        # What is before a late growth is evidence too, and was not left out.
        return []
    width = frame.x(finding.judged_from) - _LEFT
    said = f"not judged: the first {format_duration(finding.judged_from)}"
    return [
        f'<rect class="burn-in" x="{_LEFT}" y="{_TOP}" width="{max(width, 0):.1f}" height="{HEIGHT - _TOP - _BOTTOM}">'
        f"<title>{said}</title></rect>"
    ]


def _fit(frame: Frame, drawn: Outline) -> list[str]:
    finding = drawn.finding
    if finding is None or finding.rate_per_hour is None or drawn.judged is None or drawn.base is None:
        return []
    ends = [(at, drawn.base + finding.rate_per_hour / 3600 * at) for at in drawn.judged]
    (x1, y1), (x2, y2) = [(frame.x(at), frame.y(min(max(v, frame.low), frame.high))) for at, v in ends]
    said = format_rate(finding.rate_per_hour, finding.unit)
    return [f'<path class="fit" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"><title>{said}</title></path>']


def _onset(frame: Frame, finding: Finding | None) -> list[str]:
    if finding is None or finding.onset is None:
        return []
    x = frame.x(finding.onset)
    side, anchor = (-6, "end") if x > WIDTH / 2 else (6, "start")
    said = f"grows since {format_duration(finding.onset)}"
    return [
        f'<path class="onset" d="M{x:.1f} {_TOP}V{HEIGHT - _BOTTOM}"><title>{said}</title></path>',
        f'<text x="{x + side:.1f}" y="{_TOP + 10}" text-anchor="{anchor}">{said}</text>',
    ]


def _broken(frame: Frame, events: Sequence[Event]) -> list[str]:
    """From where on the samples say nothing any more, since the device broke."""
    broke = next((e for e in events if e.data.get("breaks") and frame.start <= e.t <= frame.end), None)
    if broke is None:
        return []
    x = frame.x(broke.t)
    side, anchor = (-6, "end") if x > WIDTH / 2 else (6, "start")
    said = escape(printable(f"{broke.kind.replace('_', ' ')}: not judged from here"))
    return [
        f'<path class="after" d="M{x:.1f} {_TOP}H{WIDTH - _RIGHT}V{HEIGHT - _BOTTOM}H{x:.1f}z"/>',
        f'<path class="broke" d="M{x:.1f} {_TOP}V{HEIGHT - _BOTTOM}">'
        f"<title>{escape(printable(broke.message))}</title></path>",
        f'<text x="{x + side:.1f}" y="{HEIGHT - _BOTTOM - 12}" text-anchor="{anchor}">{said}</text>',
    ]


def _marks(frame: Frame, events: Sequence[Event]) -> list[str]:
    bottom = HEIGHT - _BOTTOM
    return [
        f'<path class="mark" d="M{frame.x(e.t):.1f} {bottom}l-4 -7h8z">'
        f"<title>{escape(printable(f'{format_duration(e.t)}: {e.kind}, {e.message}'))}</title></path>"
        for e in events
        if frame.start <= e.t <= frame.end
    ]
