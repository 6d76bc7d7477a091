"""The start-up of a program, which a trace shows by itself: memory that rises from little, steeply, and then stays.

A run knows when its first step was, and judges what comes after. A trace that counts no steps shows imports, the
loading of data and the building of a model as growth that ends, beside which a leak is small. What is called a start-up
here is so plainly one that nothing else is left out: it begins with less than half of what is held later, is over
within the first part of the trace, and ten times as steep as what follows.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from monitors.detection.series import Floats, Series
from monitors.units import format_duration, format_value

_BLOCKS = 200
_FEWEST = 40
"""Blocks, and samples, from which a start-up can be told."""
_LONGEST = 0.4
"""Share of a trace within which a start-up is over."""
_FROM = 0.5
"""Share of what is held later, from less than which it rises."""
_STEEPER = 10.0
_BAND = 4.0
"""Deviations from the line that the later half follows, within which a series has reached it."""
_STAYS = 0.1
"""Share of a trace for which it has to stay there."""
_FINEST = 1e-4
"""Share of what is held, below which nothing is noise."""


def without_start_up(series: Sequence[Series]) -> tuple[list[Series], list[str]]:
    """The series since the start-up, and what is to be said of it.

    All of a trace begin when the last of them has started. Nothing is left out where steps are counted.
    """
    if any(one.steps is not None for one in series):
        return list(series), []
    ends = {one.name: end for one in series if one.metric.unit != "count" and (end := _end(one)) is not None}
    if not ends:
        return list(series), []
    slowest = max(ends, key=lambda name: ends[name])
    shown = next(one for one in series if one.name == slowest)
    begin, end = float(shown.t[0]), ends[slowest]
    risen = float(np.interp(end, shown.t, shown.values) - shown.values[0])
    unit = shown.metric.unit
    note = (
        f"the first {format_duration(end - begin)} are a start-up ({slowest} rises by {format_value(risen, unit)}), "
        "and left out; --skip 0 keeps them"
    )
    return [one.part(slice(int(np.searchsorted(one.t, end)), None)) for one in series], [note]


def _end(series: Series) -> float | None:
    """When the start-up of one series is over; None where it shows none."""
    if len(series.t) < _FEWEST:
        return None
    t, values = _blocks(series)
    half = len(t) // 2
    slope, level = _line(t[half:], values[half:])
    line = level + slope * t
    rest = values - line
    spread = 1.4826 * float(np.median(np.abs(rest[half:] - np.median(rest[half:]))))
    band = _BAND * max(spread, _FINEST * abs(float(np.median(values[half:]))))
    place = _reached(rest >= -band, max(2, int(_STAYS * len(t))))
    if place is None or place == 0 or t[place] - t[0] > _LONGEST * (t[-1] - t[0]):
        return None
    risen = line[place] - values[0]
    steep = risen / (t[place] - t[0])
    plain = values[0] < _FROM * line[place] and steep >= _STEEPER * max(slope, 0.0)
    return float(t[place]) if plain else None


def _blocks(series: Series) -> tuple[Floats, Floats]:
    """Medians of blocks of samples, and the times at which these end; shape (m,)."""
    edges = np.unique(np.linspace(0, len(series.t), min(_BLOCKS, len(series.t)) + 1).astype(int))
    pairs = list(itertools.pairwise(edges))
    t = np.array([series.t[end - 1] for _, end in pairs])
    return t, np.array([np.median(series.values[begin:end]) for begin, end in pairs])


def _line(t: Floats, values: Floats) -> tuple[float, float]:
    """Slope and value at zero of a robust line: the median of the slopes between the points of both halves."""
    half = len(t) // 2
    slopes = (values[half:][:, None] - values[:half][None, :]) / (t[half:][:, None] - t[:half][None, :])
    slope = float(np.median(slopes))
    return slope, float(np.median(values - slope * t))


def _reached(within: np.ndarray[tuple[int], np.dtype[np.bool_]], stays: int) -> int | None:
    """The first place from which the line is kept to for so many blocks."""
    counted = np.concatenate(([0], np.cumsum(within)))
    whole = np.flatnonzero(counted[stays:] - counted[:-stays] == stays)
    return int(whole[0]) if len(whole) else None
