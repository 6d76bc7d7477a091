"""What runs measured one after the other → the JSON document, plain values. Unknown is null, never 0.

The shape is `reports/schema/soak.history-1.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from monitors.comparison.changes import LevelChange, RunCourse
from monitors.comparison.model import Estimate, Measure
from monitors.comparison.places import FEWEST
from monitors.text import json_value
from reports import history_words as words
from reports.comparison_words import titled

SCHEMA = "soak.history/1"


@dataclass(frozen=True, slots=True)
class HistoryRun:
    """A run of an arm. started: Unix time. trials: of this arm in it."""

    id: str
    name: str
    started: float
    verdict: str | None
    trials: int


@dataclass(frozen=True, slots=True)
class ChangeTold:
    """A change of level. differs: in what the last run before it and its first run differ, values of each."""

    change: LevelChange
    differs: Mapping[str, tuple[Sequence[str], Sequence[str]]]


@dataclass(frozen=True, slots=True)
class CourseTold:
    """A measure of an arm. places: of the runs that have it, from 0 in the runs of the arm, and its values there, of
    several trials their mean; source: what it was read from in all of them."""

    measure: Measure
    places: Sequence[int]
    values: Sequence[float]
    course: RunCourse
    changes: Sequence[ChangeTold]
    source: str = ""


@dataclass(frozen=True, slots=True)
class ArmTold:
    """What was soaked in the same way again and again."""

    group: str
    title: str
    workload: str
    framework: str
    execution: str
    mode: str
    settings: Mapping[str, str]
    """In which it differs from others of its group besides: environment variables, its interpreter."""
    runs: Sequence[HistoryRun]
    courses: Sequence[CourseTold]


def build(arms: Sequence[ArmTold], margin: float, left_out: Sequence[str], notes: Sequence[str]) -> dict[str, Any]:
    """The whole history.

    Args:
        arms: each with its runs, oldest first.
        margin: relative change, or change of probability, up to which a level that is worse does not count as such.
        left_out: what does not count, each kind in a sentence.
        notes: what else has to be told.
    """
    told = [_arm(arm, margin) for arm in arms]
    body = {
        "schema": SCHEMA,
        "margin": margin,
        "fewest_runs": FEWEST,
        "sentence": words.sentence(told),
        "worse": [f"{one['measure']} of {arm['name']}" for arm in told for one in arm["courses"] if one["is_worse"]],
        "arms": told,
        "left_out": list(left_out),
        "notes": list(notes),
    }
    found: dict[str, Any] = json_value(body)
    return found


def _arm(arm: ArmTold, margin: float) -> dict[str, Any]:
    how = [] if arm.mode == "command" else [f"{arm.framework} {arm.execution}"]
    return {
        "name": ", ".join([arm.title, *how, *(f"{name} {value}" for name, value in arm.settings.items())]),
        "group": arm.group,
        "title": arm.title,
        "workload": arm.workload,
        "framework": arm.framework,
        "execution": arm.execution,
        "mode": arm.mode,
        "settings": dict(arm.settings),
        "runs": [asdict(run) for run in arm.runs],
        "courses": [_course(course, arm.runs, margin) for course in arm.courses],
    }


def _course(told: CourseTold, runs: Sequence[HistoryRun], margin: float) -> dict[str, Any]:
    course, places = told.course, told.places
    changes = [_change(one, told, runs) for one in told.changes]
    known = dict(zip(places, told.values, strict=True))
    return {
        "measure": told.measure.name,
        "words": titled(told.measure.name, told.source),
        "unit": told.measure.unit,
        "better": told.measure.better,
        "values": [known.get(place) for place in range(len(runs))],
        "levels": [
            {"first": runs[places[one.first]].id, "last": runs[places[one.end - 1]].id, "runs": one.end - one.first,
             **_estimate(one.level)}
            for one in course.levels
        ],
        "changes": changes,
        "outlying": [runs[places[at]].id for at in course.outlying],
        "p": course.p,
        "adjusted_p": course.adjusted_p,
        "too_few_runs": course.p is None,
        "is_worse": bool(changes) and _is_worse(told.measure, course.changes[-1], margin),
    }  # fmt: skip


def _change(told: ChangeTold, course: CourseTold, runs: Sequence[HistoryRun]) -> dict[str, Any]:
    change = told.change
    first, earliest, latest = (runs[course.places[at]] for at in (change.at, change.earliest, change.latest))
    return {
        "run": first.id,
        "started": first.started,
        "earliest": earliest.id,
        "latest": latest.id,
        "before": runs[course.places[change.at - 1]].id,
        "relative": None if change.relative is None else _estimate(change.relative),
        "absolute": _estimate(change.absolute),
        "worth": "worse" if change.worse else "better",
        "differs": [
            {"name": name, "before": list(one), "after": list(other)} for name, (one, other) in told.differs.items()
        ],
    }


def _is_worse(measure: Measure, change: LevelChange, margin: float) -> bool:
    """Whether the whole interval of the last change is worse by more than the margin; of growth, by anything."""
    told = change.relative if measure.kind == "amount" else change.absolute
    if told is None or not change.worse:
        return False
    ends = [told.value if end is None else end for end in (told.low, told.high)]
    harm = min(ends) if measure.better == "lower" else -max(ends)
    return harm > (0.0 if measure.kind == "change" else margin)


def _estimate(one: Estimate) -> dict[str, Any]:
    return {"value": one.value, "ci95": None if one.low is None or one.high is None else [one.low, one.high]}
