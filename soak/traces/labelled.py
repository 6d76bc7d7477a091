"""Time series with labels, of one source: each entity a trace, with its metrics side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitors.detection.condense import Condenser
from monitors.detection.series import Floats, Series
from monitors.model import MetricSpec
from monitors.text import one_line
from soak.errors import UsageError
from soak.traces import holdings, units
from soak.traces.columns import Trace, listed
from soak.traces.reading import LARGEST, rising
from soak.traces.request import TraceRequest, matches

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Labelled:
    """One time series."""

    name: str
    labels: Labels
    t: Floats
    values: Floats
    """NaN where there is none, infinite where something else stands."""
    in_bytes: bool = False
    unread: int = 0
    """Points that hold no number."""
    counter: bool = False
    """Whether its source says that it is one."""


def traces(source: str, every: Sequence[Labelled], request: TraceRequest, notes: Sequence[str] = ()) -> list[Trace]:
    """Of each entity one: series whose labels are the same, but for those that tell one metric's apart.

    Raises:
        UsageError: there is none.
    """
    if not every:
        raise UsageError(f"{source}: no time series; expected at least one, such as process_resident_memory_bytes")
    apart = _telling(every, request.group_by)
    by: dict[tuple[tuple[str, str], ...], list[Labelled]] = {}
    for one in every:
        by.setdefault(tuple((key, one.labels.get(key, "")) for key in apart), []).append(one)
    begin = min((float(one.t[0]) for one in every if len(one.t)), default=0.0)
    return [_trace(source if len(by) == 1 else f"{source}: {_said(key)}", some, begin, request, notes)
            for key, some in by.items()]  # fmt: skip


def _said(key: Iterable[tuple[str, str]]) -> str:
    return one_line(" ".join(f"{name}={value}" for name, value in key if value), 200)


def _telling(every: Sequence[Labelled], asked: Sequence[str] | None) -> list[str]:
    """Labels that tell entities apart: they are of several metrics, or of the one there is."""
    names = list(dict.fromkeys(key for one in every for key in one.labels))
    if asked is not None:
        return [name for name in names if any(matches(name, each) for each in asked)]
    metrics = {one.name for one in every}
    differ = [name for name in names if len({one.labels.get(name, "") for one in every}) > 1]
    shared = [name for name in differ if len({one.name for one in every if name in one.labels}) == len(metrics)]
    return shared or (differ if len(metrics) == 1 else [])


def _trace(source: str, some: Sequence[Labelled], begin: float, request: TraceRequest, notes: Sequence[str]) -> Trace:
    series: list[Series] = []
    lost: dict[str, float] = {}
    told = list(notes)
    counted = Counter(one.name for one in some)
    twice = {name for name, count in counted.items() if count > 1}
    for one in some:
        metric, scale = _metric(one, request)
        label = ",".join(f"{key}={value}" for key, value in sorted(one.labels.items())) if one.name in twice else ""
        made, unread, empty = _series(one, metric, scale, begin, label)
        series.append(made)
        total = len(one.t) + one.unread
        lost[made.name] = (unread + one.unread) / max(total, 1)
        if unread + one.unread:
            told.append(f"{unread + one.unread:,} samples left out of {listed([made.name])}: no finite number")
        if empty:
            told.append(f"{empty:,} samples left out of {listed([made.name])}: no value")
    end = max((float(one.t[-1]) for one in series if len(one.t)), default=0.0)
    return Trace(one_line(source), [one.until(end) for one in series], tuple(dict.fromkeys(told)), lost)


def _metric(one: Labelled, request: TraceRequest) -> tuple[MetricSpec, float]:
    metric = holdings.metric_of(one.name)
    if one.counter:
        metric = replace(metric, judged=False, unjudged="a counter, which only rises (its source says so)")
    unit = units.split(one.name)[1]
    asked = next((factor for key, factor in request.units.items() if not key or matches(one.name, key)), None)
    scale = asked if asked and unit != "bytes" else units.IN_HEADERS.get(unit, 1.0)
    known = one.in_bytes or scale != 1.0 or unit in units.SIZES
    return holdings.scaled(metric, known and metric.unit == "value"), scale if metric.unit != "count" else 1.0


def _series(one: Labelled, metric: MetricSpec, scale: float, begin: float, label: str) -> tuple[Series, int, int]:
    order = np.argsort(one.t, kind="stable")
    t, values = one.t[order], one.values[order] * scale
    broken = ~(np.abs(values) < LARGEST) & ~np.isnan(values)
    empty = int(np.isnan(values).sum())
    kept = ~broken & ~np.isnan(values)
    t, values = t[kept], values[kept]
    kept_in_order = rising(t, -np.inf)
    condenser = Condenser()
    if len(kept_in_order):
        condenser.add(t[kept_in_order] - begin, values[kept_in_order])
    return condenser.series(metric, label), int(broken.sum()), empty
