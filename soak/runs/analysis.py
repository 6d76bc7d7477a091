"""`soak.analyze`: recorded memory judged in Python, by what judges a run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from soak.errors import UsageError
from soak.plan.quantity import parse_rate, parse_size
from soak.record.reader import is_folder, open_record
from soak.traces import arrow, judging, tables

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
    series: Sequence[Mapping[str, Any]]
    """Each as an object of `soak analyze --json`."""


def analyze(
    data: str | os.PathLike[str] | Any, *, trial: int | str | None = None, limit: str | float | None = None,
    min_rate: str | float = 0.0, columns: Sequence[str] = (),
) -> Analysis:  # fmt: skip
    """Judge recorded memory: does it leak, how probably, how fast?

    Args:
        data: a path (CSV, also gzipped; Parquet; a run folder), or a table: of pyarrow, pandas or polars, or a mapping
            of columns. One column is the time, in seconds (`t`) or as a `timestamp`; see `soak analyze --help`.
        trial: of a run folder with several, which one, by index or name.
        limit: memory that there is: bytes or "16 GiB". Says when it will be used up.
        min_rate: growth that is slower is no leak: bytes an hour or "1 MiB/h".
        columns: judge only these; with * and ?.

    Raises:
        UsageError: it cannot be read, or holds nothing to judge.
    """
    try:
        most = None if limit is None else float(parse_size(limit))
        least = float(parse_rate(min_rate)) if isinstance(min_rate, str) else float(min_rate)
        question = judging.Question(most, least, columns)
    except ValueError as error:
        raise UsageError(f"soak.analyze: limit or min_rate: {error}") from None
    return _analysis(_body(data, trial, question))


def _body(data: Any, trial: int | str | None, question: judging.Question) -> dict[str, Any]:
    if not isinstance(data, str | os.PathLike):
        return judging.judge_trace(arrow.read(arrow.Table(data, TABLE)), question)
    path = Path(data)
    return _recorded(path, trial, question) if is_folder(path) else judging.judge_trace(tables.read(path), question)


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
