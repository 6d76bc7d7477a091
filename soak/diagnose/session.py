"""One diagnosis from beginning to end: a record in, replays, what they tell, and a document out."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reports.document import speaker
from reports.record import RunInfo, TrialInfo
from soak.diagnose import ablations, aimed, recorded, stacks, suspects
from soak.diagnose.recorded import Replayable
from soak.diagnose.replay import LeftOut, Replay, changed
from soak.errors import ConfigError, UsageError
from soak.judge.trial import judge_one, settings_of
from soak.plan import config, preflight
from soak.plan.plan import make_plan
from soak.record.reader import Record, open_record
from soak.runs import messages, starting
from soak.runs.handle import Run

FOLDER = "diagnosis"
"""In a run folder: where replays are recorded."""
SHORTEST, LONGEST = 60.0, 600.0
"""Seconds of a replay where none are asked for."""
_TO_SEE = 256 * 1024.0
"""Bytes that a replay should grow by, so that lines and stacks stand out."""
_LATE = 0.8
"""Share of a replay after which the threads of a program are looked at."""


@dataclass(frozen=True, slots=True)
class DiagnosisOrder:
    """What is to be diagnosed, and how."""

    folder: Path
    """Of the run."""
    trial: str | None = None
    duration: float | None = None
    """Seconds of each replay; None to be chosen by how fast the trial grew."""
    env: Mapping[str, str] = field(default_factory=dict)
    progress: bool | None = None


@dataclass(slots=True)
class DiagnosisSession:
    """What a diagnosis knows before it runs, and what it hears meanwhile."""

    run: RunInfo
    trial: Replayable
    layer: str
    """That is suspected; empty where none is."""
    seconds: float
    least_rate: float
    """Growth an hour, in bytes, that is worth to be named."""
    replays: list[Replay]
    left_out: list[LeftOut]
    threads: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False
    record: Path | None = None
    """The run folder of the replays."""


def plan(asked: DiagnosisOrder) -> DiagnosisSession:
    """What there is to do.

    Raises:
        UsageError: there is no such run or trial, or it cannot be replayed here.
    """
    where = str(asked.folder)
    with closing(open_record(asked.folder)) as record:
        run, least = record.run(), float(record.judge_table()["min_rate"])
        info = judged(record, suspects.chosen(record.trials(), asked.trial, where))
    trial = recorded.of_record(run.config_text, info, asked.env, where)
    layer = (info.judgement.layer if info.judgement else "") or ""
    seconds = asked.duration or _long_enough(info)
    found = DiagnosisSession(run, trial, layer, seconds, _least_rate(info, least), [], [])
    baseline = changed("as-recorded", "baseline", "as recorded", trial.table, {})
    _check(trial, baseline, seconds)
    found.replays.append(baseline)
    others = [*aimed.instruments(trial, layer, _folder(asked.folder).resolve()), *ablations.ablations(trial)]
    for each in others:
        found.left_out += _take(found, each)
    return found


def _take(found: DiagnosisSession, each: Replay | LeftOut) -> list[LeftOut]:
    if isinstance(each, LeftOut):
        return [each]
    try:
        _check(found.trial, each, found.seconds)
    except ConfigError as error:
        return [LeftOut(each.title, str(error))]
    found.replays.append(each)
    return []


def _check(trial: Replayable, replay: Replay, seconds: float) -> None:
    """Whether it can run here.

    Raises:
        ConfigError: it cannot; the message says why.
    """
    tables = copy.deepcopy(trial.config([replay.table], _text(seconds)))
    loaded = config.of_tables(Path(f"the replay {replay.title!r}"), tables)
    preflight.check(loaded, make_plan(loaded))


def judged(record: Record, info: TrialInfo) -> TrialInfo:
    """It with a judgement, where it was begun."""
    if info.judgement is not None or info.started is None:
        return info
    record.adopt(info.index, judge_one(record, info, settings_of(record.judge_table())))
    return next(each for each in record.trials() if each.index == info.index)


def _long_enough(info: TrialInfo) -> float:
    finding = speaker(info.judgement)
    if finding is None or info.verdict != "leak" or finding.unit != "bytes" or not finding.rate_per_hour:
        return SHORTEST
    seconds = 3600.0 * _TO_SEE / finding.rate_per_hour / 0.75
    return min(LONGEST, max(SHORTEST, seconds))


def _least_rate(info: TrialInfo, least: float) -> float:
    """A part of the growth that is looked for; without a leak, what the trial itself would have shown."""
    finding = speaker(info.judgement)
    if finding is None or finding.unit != "bytes":
        return least
    if info.verdict == "leak":
        return max(0.001 * (finding.rate_per_hour or 0.0), 0.1 * least)
    return max(finding.minimum_detectable_rate_per_hour or 0.0, least)


def _folder(run: Path) -> Path:
    return (run if run.is_dir() else run.parent) / FOLDER


def replay(found: DiagnosisSession, asked: DiagnosisOrder) -> None:
    """Run all replays, one after the other; Ctrl-C ends them, and what they told so far is kept.

    Raises:
        SoakError: they could not begin.
    """
    tables = found.trial.config([each.table for each in found.replays], _text(found.seconds))
    folder = _folder(asked.folder)
    try:
        folder.mkdir(exist_ok=True)
        # Of a diagnosis before, it would be taken for one of this.
        (folder / aimed.CAPTURE).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: the folder cannot be created: {error.strerror}") from error
    try:
        run = starting.run(tables, out=folder, progress=asked.progress)
    except UsageError as error:
        device = found.trial.info.device
        ran = f"the trial ran on {device}, and must be replayed there: " if device != "cpu" else ""
        raise UsageError(f"{ran}{error}") from error
    found.record = run.folder
    try:
        _listen(run, found)
    except KeyboardInterrupt:
        found.interrupted = True


def _listen(run: Run, found: DiagnosisSession) -> None:
    program, looked = recorded.is_command(found.trial.info), False
    for message in run.events():
        if program and not looked and isinstance(message, messages.Tick) and _is_late(message):
            looked = True
            _look_at_threads(run.pid, found)


def _is_late(tick: messages.Tick) -> bool:
    """Whether the first replay, that without an instrument, is nearly done."""
    return any(each.name.startswith("as-recorded") and (each.done or 0.0) >= _LATE for each in tick.running)


def _look_at_threads(run: int, found: DiagnosisSession) -> None:
    tool = stacks.py_spy()
    if not tool:
        found.left_out.append(LeftOut("stacks of threads", stacks.NEVER_INSTALLED))
        return
    for pid in stacks.programs(run):
        threads, problem = stacks.dump(pid, tool)
        found.threads += threads
        if problem:
            found.left_out.append(LeftOut("stacks of threads", problem))


def _text(seconds: float) -> str:
    return f"{seconds:.9g} s"
