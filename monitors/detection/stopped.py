"""Growth that is plainly over by the end of a trial: no finding may call that sustained growth."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import numpy as np

from monitors.detection.series import Floats, Series
from monitors.model import Finding
from monitors.units import format_duration

_BLOCKS = 32
_LEVEL = 0.02
"""Share of all that was ever gained or lost; within it a level stays."""
_LONG = 0.25
"""Share of the trial from which a level at the end is long."""
_LONGER = 2.0
"""Times the longest level amid the growth: what grows by stairs or under load has such levels, and goes on."""


def held_to_its_end(finding: Finding, series: Series) -> Finding:
    """The finding; a leak no more where its growth ended long before the trial did."""
    if finding.verdict != "leak":
        return finding
    seconds = level_at_the_end(series.worked())
    if seconds is None:
        return finding
    said = f"growth stopped {format_duration(seconds)} before the end; a longer trial can show whether it resumes"
    return replace(finding, verdict="inconclusive", leak_probability=None, reason=said)


def level_at_the_end(series: Series) -> float | None:
    """Seconds for which nothing grew at the end; None where it grew, nothing was done, or such levels are usual."""
    if len(series.t) < 2 * _BLOCKS:
        return None
    parts = np.array_split(np.arange(len(series.t)), _BLOCKS)
    values = np.array([np.median(series.values[part]) for part in parts])
    small = _LEVEL * float(np.ptp(values))
    tail = _level(values[::-1], small)
    began = _level(values, small)
    first = int(parts[_BLOCKS - tail][0])
    seconds = float(series.t[-1] - series.t[first])
    if seconds < _LONG * float(series.t[-1] - series.t[0]) or tail + began >= _BLOCKS:
        return None
    if series.steps is not None and not series.steps[-1] > series.steps[(first + len(series.t)) // 2]:
        return None
    return seconds if tail > _LONGER * _longest_level(values[began : _BLOCKS - tail], small) else None


def _level(values: Floats, small: float) -> int:
    """How many of the first values stay at one level."""
    spread = np.maximum.accumulate(values) - np.minimum.accumulate(values)
    return int(np.count_nonzero(spread <= small))


def _longest_level(values: Floats, small: float) -> int:
    """The longest run without a rise, in blocks."""
    runs = groupby(np.diff(values) <= small)
    return max((len(list(run)) + 1 for level, run in runs if level), default=1)
