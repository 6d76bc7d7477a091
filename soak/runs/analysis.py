"""`soak.analyze`: recorded memory judged in Python, by what judges a run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from soak.errors import UsageError
from soak.plan.quantity import parse_duration, parse_interval, parse_rate, parse_size
from soak.record.reader import is_folder, open_record
from soak.traces import arrow, judging, tables, units
from soak.traces.columns import Trace
from soak.traces.request import TraceRequest

TABLE = "the table"


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found in one trace. Rates are in the unit of their series, per hour; what is unknown is None."""

    source: str
    verdict: str
    """leak, pass or inconclusive; of a trial of a run, any of its verdicts."""
    reason: str
    leak_probability: float | None
    calibrated: bool
    layer: str | None
    rate_per_hour: float | None
    rate_per_hour_ci95: tuple[float, float] | None
    minimum_detectable_rate_per_hour: float | None
    hours_to_exhaustion: float | None
    notes: Sequence[str]
    """What was left out, and why."""
    ignored: Sequence[Mapping[str, str]]
    """Columns that are not judged, by `name`, and the `reason`."""
    series: Sequence[Mapping[str, Any]]
    """Each as an object of `soak analyze --json`."""


def analyze(
    data: str | os.PathLike[str] | Any, *, trial: int | str | None = None, limit: str | float | None = None,
    min_rate: str | float = 0.0, columns: Sequence[str] = (), skip: str | float | None = None, time: str | None = None,
    interval: str | float | None = None, units: Mapping[str, str] | str | None = None,
    group_by: Sequence[str] | None = None, entity: str | None = None,
) -> Analysis:  # fmt: skip
    """Judge recorded memory: does it leak, how probably, how fast?

    Args:
        data: a path (whatever `soak analyze` reads, a run folder), or a table: of pyarrow, pandas or polars, or a
            mapping of columns. One column is the time, in seconds (`t`) or as a `timestamp`; see `soak analyze --help`.
        trial: of a run folder with several, which one, by index or name.
        limit: memory that there is: bytes or "16 GiB". Says when it will be used up.
        min_rate: growth that is slower is no leak: bytes an hour or "1 MiB/h".
        columns: judge only these, whatever they are; with * and ?.
        skip: how much of the beginning to leave out: seconds or "10 min"; 0 for none, None for a start-up.
        time, interval, units, group_by: of a file, what `--time`, `--interval`, `--unit` and `--group-by` say:
            `units="MiB"` or `units={"rss": "KiB"}`.
        entity: of a file with several processes or devices, which one: "pid=42", or a part of that if no other has it.

    Raises:
        UsageError: it cannot be read, or holds nothing to judge.
    """
    try:
        most = None if limit is None else float(parse_size(limit))
        least = float(parse_rate(min_rate)) if isinstance(min_rate, str) else float(min_rate)
        question = judging.Question(most, least, columns, None if skip is None else float(parse_interval(skip)))
        every = None if interval is None else float(parse_duration(interval))
        request = TraceRequest(time, every, _units(units), group_by)
    except ValueError as error:
        raise UsageError(f"soak.analyze: interval, skip, units, limit or min_rate: {error}") from None
    return _analysis(_body(data, trial, entity, question, request))


def _units(given: Mapping[str, str] | str | None) -> dict[str, float]:
    named = {"": given} if isinstance(given, str) else given or {}
    return {name: units.parse(unit) for name, unit in named.items()}


def _body(
    data: Any, trial: int | str | None, entity: str | None, question: judging.Question, request: TraceRequest
) -> dict[str, Any]:
    if not isinstance(data, str | os.PathLike):
        return judging.judge_trace(arrow.read(arrow.Table(data, TABLE)), question)
    path = Path(data)
    if is_folder(path):
        return _recorded(path, trial, question)
    traces = tables.read_all(path, request)
    return judging.judge_trace(_entity(str(path), traces, entity), question)


def _entity(path: str, traces: Sequence[Trace], entity: str | None) -> Trace:
    """The one that is asked for, or the only one there is."""
    if entity is None or len(traces) == 1:
        return tables.only(traces)
    names = {trace.source.removeprefix(f"{path}: "): trace for trace in traces}
    if entity in names:
        return names[entity]
    return tables.only([trace for name, trace in names.items() if entity in name] or traces)


def _recorded(folder: Path, trial: int | str | None, question: judging.Question) -> dict[str, Any]:
    with closing(open_record(folder)) as record:
        known = list(judging.started(record))
        found = [info for info in known if trial is None or trial in (info.index, info.name)]
        if len(found) != 1:
            names = ", ".join(f"{info.index} {info.name!r}" for info in known[:20]) or "none that was started"
            raise UsageError(f"{folder}: trial={trial!r}: expected one of its trials: {names}")
        return judging.judge_recorded(record, found[0], f"{folder}: {found[0].name}", question)


def _analysis(body: Mapping[str, Any]) -> Analysis:
    values = {field.name: body[field.name] for field in fields(Analysis)}
    interval = values["rate_per_hour_ci95"]
    return Analysis(**{**values, "rate_per_hour_ci95": None if interval is None else tuple(interval)})
