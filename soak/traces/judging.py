"""A recorded trace, or a run folder, judged as one source: what `soak analyze` prints and `soak.analyze` returns."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitors.detection.condense import condensed
from monitors.detection.judge import JudgeSettings, judge
from monitors.detection.series import Series
from reports import analysis
from reports.record import TrialInfo
from soak.judge.trial import unseen_of, unserved
from soak.judge.verdict import Verdict, judge_trial
from soak.record.damage import weighed as weighed_by_damage
from soak.record.reader import Record
from soak.traces.columns import Trace
from soak.traces.losses import weighed

UNFINISHED = "the run is unfinished: it is still running, or soak was killed; its last samples may be missing"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every source."""

    limit: float | None = None
    """Bytes of memory that there are."""
    min_rate: float = 0.0
    """Bytes an hour; slower growth is no leak."""
    columns: Sequence[str] = ()
    """Names of the series to judge, with * and ?; all where there are none."""


def settings_of(min_rate: float = 0.0) -> JudgeSettings:
    """How recorded traces are judged: as runs are, but that nothing is too slow, unless asked for."""
    return JudgeSettings(min_rate_bytes_per_hour=min_rate, min_rate_count_per_hour=0.0, min_rate_objects_per_hour=0.0)


def judge_trace(trace: Trace, question: Question) -> dict[str, Any]:
    """The analysis of one trace: see `reports.analysis.body`."""
    return _judged(trace.source, trace.series, question, trace.notes, trace.lost)


def judge_recorded(record: Record, trial: TrialInfo, name: str, question: Question) -> dict[str, Any]:
    """The analysis of a trial of a record, whose samples may be damaged or missing.

    name: as the source is called.
    """
    notes = (UNFINISHED,) if record.unfinished else ()
    whole = record.series(trial.index)
    series = condensed(one for one in whole if one.metric.judged and len(one.t))
    body = _judged(name, series, question, notes)
    shown = Verdict(body["verdict"], body["reason"])
    found = judge_trial("finished", "", shown, unseen=unseen_of(record, trial), unserved=unserved(whole))
    verdict = weighed_by_damage(found, record.loss(trial.index), trial.name)
    return {**body, "verdict": verdict.verdict, "reason": verdict.reason}


def started(record: Record) -> Iterator[TrialInfo]:
    """The trials of a record that have samples."""
    return (trial for trial in record.trials() if trial.started is not None)


def _judged(
    source: str, series: Sequence[Series], question: Question, notes: Sequence[str] = (),
    lost: Mapping[str, float] | None = None,
) -> dict[str, Any]:  # fmt: skip
    if question.columns:
        series = [one for one in series if any(fnmatch.fnmatchcase(one.name, name) for name in question.columns)]
    limits = {"bytes": question.limit} if question.limit else {}
    detection = judge(series, settings_of(question.min_rate), limits)
    return analysis.body(source, weighed(detection, lost or {}), notes)
