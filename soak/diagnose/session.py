"""One diagnosis from beginning to end: a record in, replays, what they tell, and a document out."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitors.model import Event
from reports.document import speaker
from reports.record import RunInfo, TrialInfo
from soak.diagnose import ablations, aimed, capture, findings, growth, outcome, recorded, stacks, suspects
from soak.diagnose.recorded import Recorded
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
_OF_A_PROGRAM = (0.25, 0.03)
"""Shares of a capture of a whole program that are left out: while it starts, and while it ends."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be diagnosed, and how."""

    folder: Path
    """Of the run."""
    trial: str | None = None
    duration: float | None = None
    """Seconds of each replay; None to be chosen by how fast the trial grew."""
    env: Mapping[str, str] = field(default_factory=dict)
    progress: bool | None = None


@dataclass(slots=True)
class Diagnosis:
    """What a diagnosis knows before it runs, and what it hears meanwhile."""

    run: RunInfo
    trial: Recorded
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


def plan(asked: Asked) -> Diagnosis:
    """What there is to do.

    Raises:
        UsageError: there is no such run or trial, or it cannot be replayed here.
    """
    where = str(asked.folder)
    with closing(open_record(asked.folder)) as record:
        run, least = record.run(), float(record.judge_table()["min_rate"])
        info = _judged(record, suspects.chosen(record.trials(), asked.trial, where))
    trial = recorded.of_record(run.config_text, info, asked.env, where)
    layer = (info.judgement.layer if info.judgement else "") or ""
    seconds = asked.duration or _long_enough(info)
    found = Diagnosis(run, trial, layer, seconds, _least_rate(info, least), [], [])
    baseline = changed("as-recorded", "baseline", "as recorded", trial.table, {})
    _check(trial, baseline, seconds)
    found.replays.append(baseline)
    others = [*aimed.instruments(trial, layer, _folder(asked.folder).resolve()), *ablations.ablations(trial)]
    for each in others:
        found.left_out += _take(found, each)
    return found


def _take(found: Diagnosis, each: Replay | LeftOut) -> list[LeftOut]:
    if isinstance(each, LeftOut):
        return [each]
    try:
        _check(found.trial, each, found.seconds)
    except ConfigError as error:
        return [LeftOut(each.title, str(error))]
    found.replays.append(each)
    return []


def _check(trial: Recorded, replay: Replay, seconds: float) -> None:
    """Whether it can run here.

    Raises:
        ConfigError: it cannot; the message says why.
    """
    tables = copy.deepcopy(trial.config([replay.table], _text(seconds)))
    loaded = config.of_tables(Path(f"the replay {replay.title!r}"), tables)
    preflight.check(loaded, make_plan(loaded))


def _judged(record: Record, info: TrialInfo) -> TrialInfo:
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


def replay(found: Diagnosis, asked: Asked, say: Callable[[str], None]) -> None:
    """Run all replays, one after the other; Ctrl-C ends them, and what they told so far is kept.

    Raises:
        SoakError: they could not begin.
    """
    tables = found.trial.config([each.table for each in found.replays], _text(found.seconds))
    folder = _folder(asked.folder)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: the folder cannot be made: {error.strerror}") from error
    try:
        run = starting.run(tables, out=folder, progress=asked.progress)
    except UsageError as error:
        device = found.trial.info.device
        ran = f"the trial ran on {device}, and is replayed there: " if device != "cpu" else ""
        raise UsageError(f"{ran}{error}") from error
    found.record = run.folder
    try:
        _listen(run, found, say)
    except KeyboardInterrupt:
        found.interrupted = True


def _listen(run: Run, found: Diagnosis, say: Callable[[str], None]) -> None:
    program, looked = recorded.is_command(found.trial.info), False
    for message in run.events():
        if isinstance(message, messages.TrialEnded):
            say(f"{message.trial}: {message.reason}")
        if program and not looked and isinstance(message, messages.Tick) and _is_late(message):
            looked = True
            _look_at_threads(run.pid, found)


def _is_late(tick: messages.Tick) -> bool:
    """Whether the first replay, that without an instrument, is nearly done."""
    return any(each.name.startswith("as-recorded") and (each.done or 0.0) >= _LATE for each in tick.running)


def _look_at_threads(run: int, found: Diagnosis) -> None:
    tool = stacks.py_spy()
    if not tool:
        found.left_out.append(LeftOut("stacks of threads", stacks.NEVER_INSTALLED))
        return
    for pid in stacks.programs(run):
        threads, problem = stacks.dump(pid, tool)
        found.threads += threads
        if problem:
            found.left_out.append(LeftOut("stacks of threads", problem))


def result(found: Diagnosis) -> dict[str, Any]:
    """What came of it, as `reports/schema/soak.diagnosis-1.json` has it."""
    infos, events = _told(found)
    outcomes = [
        outcome.outcome(each, infos.get(number), found.layer, infos.get(0)) for number, each in enumerate(found.replays)
    ]
    by_kind = {each.kind: events.get(number, []) for number, each in enumerate(found.replays)}
    info, finding = found.trial.info, speaker(found.trial.info.judgement)
    body: dict[str, Any] = {
        "name": info.name,
        "index": info.index,
        "verdict": info.verdict,
        "layer": found.layer or None,
        "rate_per_hour": finding.rate_per_hour if finding else None,
        "made": time.time(),
        "seconds": found.seconds,
        "interrupted": found.interrupted,
        "record": f"{FOLDER}/{found.record.name}" if found.record else None,
        "replays": outcomes,
        "lines": _lines(by_kind.get("tracemalloc", []), found),
        "native": _native(by_kind.get("memray", []), found),
        "device_memory": _device(by_kind.get("device_memory", []), found),
        "threads": found.threads,
        "left_out": [{"what": each.what, "why": each.why} for each in found.left_out],
    }
    return {**body, "found": findings.said(body)}


def _told(found: Diagnosis) -> tuple[dict[int, TrialInfo], dict[int, list[Event]]]:
    """What the record of the replays says of each that was begun, and what happened to it, by its number."""
    if found.record is None:
        return {}, {}
    events: dict[int, list[Event]] = {}
    with closing(open_record(found.record)) as record:
        infos = {each.index: _judged(record, each) for each in record.trials() if each.started is not None}
        for event in record.events():
            if event.trial is not None:
                events.setdefault(event.trial, []).append(event)
    return infos, events


def _lines(events: Sequence[Event], found: Diagnosis) -> dict[str, Any] | None:
    last = next((event.data for event in reversed(events) if event.kind == "tracemalloc"), None)
    if last is None:
        return None
    seconds, steps = _number(last, "seconds"), _number(last, "steps")
    grown = growth.enough(growth.of_notes(events, "tracemalloc"), seconds, found.least_rate)
    own = growth.of_notes(events, "tracemalloc", "own") if grown else []
    return {"seconds": seconds, "steps": steps, "grown": _bodies(grown), "own": _bodies(own)}


def _device(events: Sequence[Event], found: Diagnosis) -> dict[str, Any] | None:
    last = next((event.data for event in reversed(events) if event.kind == "device_memory"), None)
    if last is None:
        return None
    seconds, steps = _number(last, "seconds"), _number(last, "steps")
    grown = growth.enough(growth.of_notes(events, "device_memory"), seconds, found.least_rate)
    return {"seconds": seconds, "steps": steps, "grown": _bodies(grown), "share": _share(grown, found)}


def _native(events: Sequence[Event], found: Diagnosis) -> dict[str, Any] | None:
    """From the captures that were told of; of a program, from the file that it was ordered to write."""
    told = next((event.data for event in events if event.kind == "memray"), None)
    if told is not None:
        path, steps = Path(str(told["file"])), _number(told, "steps")
        captured = capture.read(path, found.trial.python)
    else:
        wanted = next((each for each in found.replays if each.kind == "memray"), None)
        command = wanted.table.get("command") if wanted else None
        if not command or not events or found.record is None:
            return None
        path, steps = found.record.parent / "memray.bin", 0.0
        captured = capture.read(path, str(command[0]), *_OF_A_PROGRAM)
    if captured.problem:
        found.left_out.append(LeftOut("memray", captured.problem))
        return None
    grown = growth.of_stacks(captured.grown, captured.seconds, steps)
    grown = growth.enough(grown, captured.seconds, found.least_rate)
    return {
        "seconds": captured.seconds, "steps": steps, "grown": _bodies(grown), "share": _share(grown, found),
        "capture": str(path),
    }  # fmt: skip


def _share(grown: Sequence[growth.Grown], found: Diagnosis) -> float | None:
    """Of the growth of the recorded trial that all of it makes: by the step, as instruments slow steps down."""
    finding = speaker(found.trial.info.judgement)
    if not grown or finding is None or finding.unit != "bytes" or found.trial.info.verdict != "leak":
        return None
    steps = [each.bytes_per_step for each in grown]
    if finding.rate_per_step and None not in steps:
        return sum(each for each in steps if each is not None) / finding.rate_per_step
    return sum(each.bytes_per_hour for each in grown) / finding.rate_per_hour if finding.rate_per_hour else None


def _bodies(grown: Sequence[growth.Grown]) -> list[dict[str, Any]]:
    return [each.body() for each in grown]


def _number(data: Mapping[str, Any], name: str) -> float:
    value = data.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _text(seconds: float) -> str:
    return f"{seconds:.9g} s"
