"""What came of a diagnosis: what the record of its replays and the files of its instruments tell, as one document."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from monitors.model import Event
from reports.diagnosis import innermost_own
from reports.document import speaker
from reports.record import TrialInfo
from soak.diagnose import aimed, capture, findings, growth, outcome
from soak.diagnose.replay import LeftOut
from soak.diagnose.session import FOLDER, DiagnosisSession, judged
from soak.record.reader import open_record

_OF_A_PROGRAM = (0.25, 0.03)
"""Shares of a capture of a whole program that are left out: while it starts, and while it ends."""


def result(found: DiagnosisSession) -> dict[str, Any]:
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


def _told(found: DiagnosisSession) -> tuple[dict[int, TrialInfo], dict[int, list[Event]]]:
    """What the record of the replays says of each that was begun, and what happened to it, by its number."""
    if found.record is None:
        return {}, {}
    events: dict[int, list[Event]] = {}
    with closing(open_record(found.record)) as record:
        infos = {each.index: judged(record, each) for each in record.trials() if each.started is not None}
        for event in record.events():
            if event.trial is not None:
                events.setdefault(event.trial, []).append(event)
    return infos, events


def _lines(events: Sequence[Event], found: DiagnosisSession) -> dict[str, Any] | None:
    body = _noted(events, "tracemalloc", found)
    if body is None:
        return None
    own = growth.of_notes(_of_member(events, "tracemalloc", found), "tracemalloc", "own") if body["grown"] else []
    return {**body, "own": _bodies(own)}


def _device(events: Sequence[Event], found: DiagnosisSession) -> dict[str, Any] | None:
    return _noted(events, "device_memory", found)


def _noted(events: Sequence[Event], kind: str, found: DiagnosisSession) -> dict[str, Any] | None:
    notes = _of_member(events, kind, found)
    if not notes:
        return None
    last = notes[-1].data
    seconds, steps = _number(last, "seconds"), _number(last, "steps")
    grown = growth.enough(growth.of_notes(notes, kind), seconds, found.least_rate)
    return {
        "seconds": seconds, "steps": steps, "member": str(last.get("member", "")), "grown": _bodies(grown),
        "share": _share(grown, found) if kind == "device_memory" else None,
    }  # fmt: skip


def _of_member(events: Sequence[Event], kind: str, found: DiagnosisSession) -> list[Event]:
    """The notes of one member: of the one that leaks, or else of the one that grew most."""
    notes: dict[str, list[Event]] = {}
    for event in events:
        if event.kind == kind:
            notes.setdefault(str(event.data.get("member", "")), []).append(event)
    leaks = found.trial.info.judgement.member if found.trial.info.judgement else ""
    if leaks in notes:
        return notes[leaks]
    return max(notes.values(), key=lambda each: _number(each[-1].data, "bytes"), default=[])


def _native(events: Sequence[Event], found: DiagnosisSession) -> dict[str, Any] | None:
    """From the captures that were told of; of a program, from the file that it was ordered to write."""
    told = next((event.data for event in _of_member(events, "memray", found)), None)
    if told is not None:
        path, steps = Path(str(told["file"])), _number(told, "steps")
        captured = capture.read(path, found.trial.python)
    else:
        wanted = next((each for each in found.replays if each.kind == "memray"), None)
        command = wanted.table.get("command") if wanted else None
        if not command or not events or found.record is None:
            return None
        path, steps = found.record.parent / aimed.CAPTURE, 0.0
        captured = capture.read(path, str(command[0]), *_OF_A_PROGRAM)
    if captured.problem:
        found.left_out.append(LeftOut("memray", captured.problem))
        return None
    grown = growth.of_stacks(captured.grown, captured.seconds, steps)
    grown = growth.enough(grown, captured.seconds, found.least_rate)
    return {
        "seconds": captured.seconds, "steps": steps, "member": str(told.get("member", "")) if told else "",
        "grown": _bodies(grown), "own": _bodies(growth.below(grown, _own_line)), "share": _share(grown, found),
        "capture": str(path),
    }  # fmt: skip


def _own_line(stack: Sequence[str]) -> str:
    at = innermost_own(stack)
    return "" if at is None else stack[at]


def _share(grown: Sequence[growth.GrowingLine], found: DiagnosisSession) -> float | None:
    """Of the growth of the recorded trial that all of it makes: by the step or by the hour, whichever it follows.

    Instruments slow steps down, which changes growth that follows steps by the hour, and other growth by the step.
    """
    finding = speaker(found.trial.info.judgement)
    if not grown or finding is None or finding.unit != "bytes" or found.trial.info.verdict != "leak":
        return None
    by_hour, by_step = finding.rate_per_hour, finding.rate_per_step
    shares = [sum(each.bytes_per_hour for each in grown) / by_hour] if by_hour else []
    steps = [each.bytes_per_step for each in grown if each.bytes_per_step is not None]
    if by_step and len(steps) == len(grown):
        shares.append(sum(steps) / by_step)
    return min(shares, key=lambda share: abs(share - 1.0), default=None)


def _bodies(grown: Sequence[growth.GrowingLine]) -> list[dict[str, Any]]:
    return [each.body() for each in grown]


def _number(data: Mapping[str, Any], name: str) -> float:
    value = data.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
