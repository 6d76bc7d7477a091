"""Run folders → what their trials measured, with what claims ask besides: speed of steps, size of a program, dose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monitors.detection.series import Series
from monitors.model import Event
from reports.record import RunInfo, TrialInfo
from soak.claims.others import others_of
from soak.compare.agreed import Readings, TrialReading
from soak.compare.readings import lanes, read, settled_from
from soak.compare.trials import untold
from soak.judge.trial import judge_one, settings_of
from soak.record.reader import Record, open_record

PROGRAM_SIZE = "program_size"
"""Kind of the note that tells how large a converted program is, and name of the measure."""
DOSES = ("frames", "tokens", "requests", "steps")
FPS = 25.0
"""Frames of a second of video."""


@dataclass(frozen=True, slots=True)
class ClaimTrial:
    """One trial that counts."""

    run: RunInfo
    info: TrialInfo
    readings: Readings
    doses: Mapping[str, float]
    """How much went through it, of `DOSES`; frames in all lanes."""
    others: float | None = None
    """Processors that other programs took on average while it ran; None where its record does not tell."""


@dataclass(frozen=True, slots=True)
class ExperimentTrials:
    """Of one experiment, on one machine or several."""

    trials: Sequence[ClaimTrial]
    left_out: Sequence[str]
    """What does not count, each with the reason."""


def read_trials(folders: Sequence[Path]) -> ExperimentTrials:
    """Every trial of some runs.

    Raises:
        UsageError: a folder is no run.
        RecordError: its record cannot be read.
    """
    trials: list[ClaimTrial] = []
    left_out: list[str] = []
    for folder in folders:
        with closing(open_record(folder)) as record:
            _read(record, trials, left_out)
    return ExperimentTrials(trials, left_out)


def _read(record: Record, trials: list[ClaimTrial], left_out: list[str]) -> None:
    run, events = record.run(), record.events()
    told = [(info, why, record.series(info.index)) for info, why in _told(record)]
    others = others_of([(info, series) for info, _, series in told])
    for info, why, series in told:
        if why:
            left_out.append(f"{info.name}: {why}")
            continue
        own = [event for event in events if event.trial == info.index]
        readings = {**read(info, series), **more(series, own)}
        trials.append(ClaimTrial(run, info, readings, doses_of(info), others.get(info.index)))


def _told(record: Record) -> Iterator[tuple[TrialInfo, str]]:
    settings = settings_of(record.judge_table())
    for info in record.trials():
        if info.judgement is None and info.state == "ended":
            record.adopt(info.index, judge_one(record, info, settings))
    for info in record.trials():
        why = untold(info)
        yield info, f"{why}: {info.end_message}" if why and info.end_message else why


def more(series: Sequence[Series], events: Sequence[Event]) -> Readings:
    """What claims ask besides, of the series and events of one trial."""
    found: dict[str, Mapping[str, TrialReading]] = {}
    if (speed := step_speed(series)) is not None:
        found["step_speed"] = {"steps": TrialReading(speed)}
    sizes = [event.data.get("bytes") for event in events if event.kind == PROGRAM_SIZE]
    if known := [size for size in sizes if isinstance(size, float)]:
        found[PROGRAM_SIZE] = {"the first program": TrialReading(known[0])}
    return found


def step_speed(series: Sequence[Series]) -> float | None:
    """Steps a second of the time in steps alone, of the trial or of its first member, once it has settled.

    A beat tells the mean time of its steps; each mean counts as often as there were steps since the one before.
    """
    known: dict[str, Series] = {}
    for one in sorted(series, key=lambda one: one.member):
        if one.metric.name in ("steps", "step_latency_seconds") and len(one.t) and not one.device:
            known.setdefault(one.metric.name, one)
    if len(known) < 2:
        return None
    steps, means = known["steps"], known["step_latency_seconds"]
    at = steps.t[steps.values >= 1]
    if not len(at):
        return None
    begin = settled_from(at)
    told = np.concatenate(([begin], means.t[means.t > begin]))
    made = np.diff(np.interp(told, steps.t, steps.values))
    spent = float(made @ means.values[means.t > begin])
    return float(made.sum()) / spent if made.sum() >= 1 and spent > 0 else None


def doses_of(info: TrialInfo) -> dict[str, float]:
    """What went through a trial, by its last beat; frames are counted in every lane."""
    found = {name: info.last_values[name] for name in DOSES if info.last_values.get(name)}
    if "frames" in found:
        found["frames"] *= lanes(info)
    return found


def hours_of_video(trials: Sequence[ClaimTrial]) -> float:
    """All that went through them together."""
    return sum(trial.doses.get("frames", 0.0) for trial in trials) / FPS / 3600
