"""A recorded trace, or a run folder, judged as one source: what `soak analyze` prints and `soak.analyze` returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from monitors.detection.conclusion import Detection
from monitors.detection.condense import condensed
from monitors.detection.judge import JudgeSettings, judge
from monitors.detection.series import Series
from reports import analysis
from reports.record import TrialInfo
from soak.errors import UsageError
from soak.judge.trial import unseen_of, unserved
from soak.judge.verdict import Verdict, judge_trial
from soak.record.damage import weighed as weighed_by_damage
from soak.record.reader import Record
from soak.traces.columns import Trace, listed
from soak.traces.holdings import sorted_out, standing
from soak.traces.losses import weighed
from soak.traces.request import matches
from soak.traces.warming import without_start_up

_TOLD = 3
"""Entities that are left out and told with the reason; of more their number."""
UNFINISHED = "the run is unfinished: it is still running, or soak was killed; its last samples may be missing"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every source."""

    limit: float | None = None
    """Bytes of memory that there are."""
    min_rate: float = 0.0
    """Bytes an hour; slower growth is no leak."""
    columns: Sequence[str] = ()
    """Names of the series to judge, with * and ?; all that are holdings where there are none."""
    skip: float | None = None
    """Seconds at the beginning of a trace that are left out; None for a start-up, where one is seen."""


def settings_of(min_rate: float = 0.0) -> JudgeSettings:
    """How recorded traces are judged: as runs are, but that nothing is too slow, unless asked for."""
    return JudgeSettings(min_rate_bytes_per_hour=min_rate, min_rate_count_per_hour=0.0, min_rate_objects_per_hour=0.0)


def judge_trace(trace: Trace, question: Question) -> dict[str, Any]:
    """The analysis of one trace: see `reports.analysis.body`."""
    return body_of(trace, found_in(trace, question))


def judge_traces(traces: Sequence[Trace], question: Question) -> list[dict[str, Any]]:
    """The analysis of each, as of `found_in_all`."""
    return [body for body, _ in found_in_all(traces, question)]


def found_in_all(traces: Sequence[Trace], question: Question) -> list[tuple[dict[str, Any], Found]]:
    """The analysis of each and what it is of. Where nothing of some is to be judged, the first of the others says so.

    Raises:
        UsageError: nothing of any is to be judged.
    """
    every: list[tuple[dict[str, Any], Found]] = []
    empty: list[tuple[dict[str, Any], Found]] = []
    refused: list[UsageError] = []
    for trace in traces:
        try:
            found = found_in(trace, question)
        except UsageError as error:
            refused.append(error)
        else:
            (empty if _is_empty(trace, found) else every).append((body_of(trace, found), found))
    judged = every or empty
    if not judged:
        raise refused[0]
    aside = [f"{body['source']}: {body['reason']}" for body, _ in empty] if every else []
    if left_out := [*map(str, refused), *aside]:
        body, found = judged[0]
        judged[0] = {**body, "notes": [*body["notes"], _left_out(left_out)]}, found
    return judged


def _left_out(reasons: Sequence[str]) -> str:
    more = len(reasons) - _TOLD
    return f"left out: {'; '.join(reasons[:_TOLD])}" + (f"; and {more:,} more" if more > 0 else "")


def _is_empty(trace: Trace, found: Found) -> bool:
    """Whether an entity has none of what is judged: its rows have other columns of the table."""
    return not any(len(one.t) or trace.lost.get(one.name) for one in found.series)


@dataclass(frozen=True, slots=True)
class Found:
    """A trace, judged."""

    series: Sequence[Series]
    """Those that are judged, without what is left out at the beginning."""
    ignored: Mapping[str, str]
    """Why the others are not, by their names."""
    detection: Detection
    notes: Sequence[str]


def found_in(trace: Trace, question: Question) -> Found:
    """What is found in a trace.

    Raises:
        UsageError: nothing of it is to be judged.
    """
    chosen, ignored = _chosen(trace, question)
    if question.skip is None:
        series, warm = without_start_up(chosen)
    else:
        series, warm = [_without_beginning(one, question.skip) for one in chosen], []
    bare = [one.name for one in chosen if not any(one is whole for whole in trace.series)]
    warm += [f"judged without the page cache, which is in it: {listed(bare)}"] if bare else []
    if not question.columns:
        loose = [one.name for one in chosen if standing(one.metric) == "unknown"]
        warm += [f"nothing says that {listed(loose)} is memory; judged as the only column"] if loose else []
    detection = _detected(series, question)
    notes = [*_missing(trace.series, series, question.columns), *trace.notes, *warm]
    return Found(series, ignored, weighed(detection, trace.lost), notes)


def body_of(trace: Trace, found: Found) -> dict[str, Any]:
    """Its analysis: see `reports.analysis.body`."""
    return analysis.body(trace.source, found.detection, found.notes, found.ignored)


def _chosen(trace: Trace, question: Question) -> tuple[list[Series], dict[str, str]]:
    if question.columns:
        return [one for one in trace.series if any(matches(one.name, name) for name in question.columns)], {}
    chosen, ignored = sorted_out(trace.series)
    if trace.series and not chosen:
        by: dict[str, list[str]] = {}
        for name, why in ignored.items():
            by.setdefault(why, []).append(name)
        told = "; ".join(f"{listed(names)}: {why}" for why, names in list(by.items())[:3])
        raise UsageError(
            f"{trace.source}: no column is judged ({told}); expected memory, descriptors or threads, or --column NAME"
        )
    return chosen, ignored


def _missing(there: Sequence[Series], chosen: Sequence[Series], columns: Sequence[str]) -> list[str]:
    """What is said where there are series, and none of those that are asked for."""
    if chosen or not there or not columns:
        return []
    return [f"no column is called {listed(columns)}; there are {listed((one.name for one in there), 12)}"]


def _without_beginning(series: Series, skip: float | None) -> Series:
    return series.part(slice(int(np.searchsorted(series.t, skip)), None)) if skip and len(series.t) else series


def judge_recorded(record: Record, trial: TrialInfo, name: str, question: Question) -> dict[str, Any]:
    """The analysis of a trial of a record, whose samples may be damaged or missing.

    name: as the source is called.
    """
    notes = (UNFINISHED,) if record.unfinished else ()
    whole = record.series(trial.index)
    series = condensed(one for one in whole if one.metric.judged and len(one.t))
    asked = [one for one in series if not question.columns or any(matches(one.name, each) for each in question.columns)]
    asked = [_without_beginning(one, question.skip) for one in asked]
    body = analysis.body(name, _detected(asked, question), [*_missing(series, asked, question.columns), *notes])
    shown = Verdict(body["verdict"], body["reason"])
    found = judge_trial("finished", "", shown, unseen=unseen_of(record, trial), unserved=unserved(whole))
    verdict = weighed_by_damage(found, record.loss(trial.index), trial.name)
    return {**body, "verdict": verdict.verdict, "reason": verdict.reason}


def started(record: Record) -> Iterator[TrialInfo]:
    """The trials of a record that have samples."""
    return (trial for trial in record.trials() if trial.started is not None)


def _detected(series: Sequence[Series], question: Question) -> Detection:
    limits = {"bytes": question.limit} if question.limit else {}
    judged = [one if one.metric.judged else replace(one, metric=replace(one.metric, judged=True)) for one in series]
    return judge(judged, settings_of(question.min_rate), limits)
