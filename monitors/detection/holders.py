"""Which process of a tree it is that grows, where a member leaks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitors.detection.series import Series
from monitors.model import Finding

METRIC = "process_anonymous_bytes"
"""The series of single processes: their label is the name of the process."""
_LAYERS = ("host_heap", "heap_held", "mmap", "anonymous")
_MOST_OF_IT = 0.6
"""Share of the growth of all processes that one must have to be named."""
_SEEN = 0.3
"""Share of the rate that was found: what grows slower than that is not what was found."""
_FEWEST = 8
"""Samples."""


def named(finding: Finding, processes: Sequence[Series]) -> Finding:
    """The finding with the name of the process that grew, where it is a leak of host memory and one stands out.

    processes: series of single processes, of all members.
    """
    if finding.verdict != "leak" or finding.layer not in _LAYERS or finding.rate_per_hour is None:
        return finding
    begin = finding.judged_from if finding.onset is None else finding.onset
    grown = {
        series.label: rate
        for series in processes
        if series.member == finding.member and (rate := _rate(series, begin or 0.0)) > 0
    }
    if not grown:
        return finding
    name = max(grown, key=lambda each: grown[each])
    stands_out = grown[name] >= max(_MOST_OF_IT * sum(grown.values()), _SEEN * finding.rate_per_hour)
    return replace(finding, process=name) if stands_out else finding


def _rate(series: Series, begin: float) -> float:
    """Bytes per hour from the first tenth of what lies behind `begin` to the last; 0 where that is too short to say."""
    t, values = series.t[series.t >= begin], series.values[series.t >= begin]
    if len(t) < _FEWEST:
        return 0.0
    tenth = max(1, len(t) // 10)
    span = float(np.median(t[-tenth:]) - np.median(t[:tenth]))
    return 3600.0 * float(np.median(values[-tenth:]) - np.median(values[:tenth])) / span if span > 0 else 0.0
