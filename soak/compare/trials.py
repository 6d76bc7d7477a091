"""Run folders → the trials in them that count for a comparison, and those that do not, each with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from reports.record import RunInfo, TrialInfo
from soak.compare.agreed import Readings
from soak.compare.readings import read
from soak.errors import RecordError, UsageError
from soak.judge.trial import judge_one, settings_of
from soak.record.reader import Record, is_folder, open_record
from soak.record.rows import is_file
from soak.record.store import FILE

_NO_ANSWER = {"invalid": "their environment broke (invalid)", "error": "ended in an error"}
"""Verdicts of trials that say nothing about what was soaked."""
_BY_VERDICT = ("leak_probability", "time_to_exhaustion")
UNFINISHED = "did not run to the end"
CONTROLS = "controls"
EXPLAINING = "explain another trial"


@dataclass(frozen=True, slots=True)
class ComparedTrial:
    """One trial that counts."""

    path: int
    """The place of the path that named its run, from 0."""
    run: RunInfo
    info: TrialInfo
    readings: Readings


@dataclass(frozen=True, slots=True)
class ReadRuns:
    """What was found in run folders."""

    trials: Sequence[ComparedTrial]
    left_out: Sequence[tuple[str, str]]
    """What does not count: why, and its name."""
    notes: Sequence[str]
    """What else has to be told of the runs, each in a sentence."""


def read_runs(paths: Sequence[Path], apart: bool = False) -> ReadRuns:
    """Every trial of the runs that paths name: run folders, or folders of these. A run that is named twice counts once.

    Args:
        paths: them.
        apart: whether each path is a side: then a run counts in each that names it.

    Raises:
        UsageError: one of them is neither, or a run folder that was named cannot be read.
    """
    trials: list[ComparedTrial] = []
    left_out: list[tuple[str, str]] = []
    notes: list[str] = []
    seen: set[tuple[int, str, float]] = set()
    for place, path in enumerate(paths):
        folders = _folders(path)
        for folder in folders:
            try:
                with closing(open_record(folder)) as record:
                    if _is_new(record.run(), place if apart else 0, seen, notes):
                        _read(record, place, trials, left_out, notes)
            except RecordError as error:
                if len(folders) == 1:
                    raise UsageError(f"{error}; this run cannot be compared: give another") from error
                notes.append(f"{folder.name} is left out: {error}")
    return ReadRuns(trials, left_out, notes)


def _is_new(run: RunInfo, side: int, seen: set[tuple[int, str, float]], notes: list[str]) -> bool:
    """Whether it was not read before: a copy of a run, or another path to it, tells nothing more."""
    known = (side, run.run_id, run.started)
    if known in seen:
        notes.append(f"{run.run_id} was given more than once: it counts once")
        return False
    seen.add(known)
    return True


def _folders(path: Path) -> list[Path]:
    """The run itself, or all runs in a folder of runs, by name."""
    if is_folder(path) and not is_file(path / FILE):
        inside = sorted(found.parent for found in path.glob(f"*/{FILE}"))
        if inside:
            return inside
        raise UsageError(f"{path}: expected a run folder, which has a {FILE}, or a folder of run folders")
    return [path]


def _read(
    record: Record, place: int, trials: list[ComparedTrial], left_out: list[tuple[str, str]], notes: list[str]
) -> None:
    run, settings = record.run(), settings_of(record.judge_table())
    for info in record.trials():
        if info.judgement is None and info.state == "ended":
            record.adopt(info.index, judge_one(record, info, settings))
    for info in record.trials():
        why = untold(info)
        if why:
            left_out.append((why, info.name))
        else:
            readings = read(info, record.series(info.index))
            trials.append(ComparedTrial(place, run, info, _believed(readings, run)))
    notes.extend(_told_of(record, run))


def _believed(readings: Readings, run: RunInfo) -> Readings:
    """What holds whatever is thought of the verdicts of a run: where a control was judged wrong, none is believed."""
    return {name: each for name, each in readings.items() if run.verdict != "invalid" or name not in _BY_VERDICT}


def _told_of(record: Record, run: RunInfo) -> Iterator[str]:
    if record.unfinished:
        yield f"{run.run_id} is unfinished: what has ended of it counts"
    if run.verdict == "invalid":
        yield f"{run.run_id} is invalid, as a control was judged wrong: its leak probabilities do not count"
    damage = record.damage()
    if damage:
        yield f"{run.run_id} is damaged: {'; '.join(damage)}"


def untold(info: TrialInfo) -> str:
    """Why a trial does not count, in a few words; empty where it does.

    One that the alarm stopped (`stop_on_leak`) counts where it leaks: its end is a result.
    """
    if info.expect is not None:
        return CONTROLS
    if info.settings.get("confirms"):
        return EXPLAINING
    stopped = info.end_reason == "stopped" and info.verdict == "leak"
    if info.state != "ended" or (info.end_reason in ("", "interrupted", "stopped", "lost") and not stopped):
        return UNFINISHED
    return _NO_ANSWER.get(info.verdict or "error", "")
