"""Paths and a question → a history, as the document that every output is made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitors.comparison.changes import courses
from monitors.comparison.measures import named
from monitors.comparison.model import Measure
from reports import blocks, history
from reports.history import ArmTold, ChangeTold, CourseTold, HistoryRun
from soak.compare.asking import asked_measure
from soak.compare.likeness import unequal
from soak.compare.trials import ReadRuns, read_runs
from soak.errors import UsageError
from soak.history.arms import ArmRuns, arms_of

USUAL = ("leak_probability", "growth_per_hour", "steady_memory", "peak_memory", "gpu_peak_memory", "throughput",
         "latency_p99")  # fmt: skip
"""What is followed, where nothing is chosen: each measure more asks more of every change."""
LAST = 100


@dataclass(frozen=True, slots=True)
class HistoryOrder:
    """What is asked."""

    paths: Sequence[Path]
    measures: Sequence[str] = ()
    """What is followed; `USUAL` where there is none."""
    since: float | None = None
    """Unix time from which on runs count."""
    last: int = LAST
    """Runs of each arm that count, the newest."""
    margin: float = 0.01
    """Relative change, or change of probability, up to which a level that is worse is no reason to fail."""


def history_of(order: HistoryOrder) -> dict[str, Any]:
    """Read the runs and tell what changed: the body of a history.

    Raises:
        UsageError: a path is no run or folder of runs, a measure is none, or no trial counts.
    """
    measures = [asked_measure(name) for name in order.measures] or [named(name.replace("_", " ")) for name in USUAL]
    read = read_runs(order.paths)
    trials = [trial for trial in read.trials if order.since is None or trial.run.started >= order.since]
    arms = arms_of(trials, measures, order.last)
    if not arms:
        raise UsageError(_nothing(read, order))
    return history.build(_told(arms, measures), order.margin, _left_out(read, len(read.trials) - len(trials)),
                         read.notes)  # fmt: skip


def _nothing(read: ReadRuns, order: HistoryOrder) -> str:
    where = ", ".join(map(str, order.paths))
    if read.trials:
        return f"{where}: no run began at --since or later"
    why = "; ".join(_left_out(read, 0))
    return f"{where}: no trial counts{f': {why}' if why else ''}"


def _left_out(read: ReadRuns, earlier: int) -> list[str]:
    """What does not count, each kind in a line with how many there are."""
    kinds = Counter(why for why, _ in read.left_out)
    kinds["of runs before --since"] = earlier
    return [f"{why}: {number:,} trial{'s'[: number != 1]}" for why, number in kinds.items() if number]


def _told(arms: Sequence[ArmRuns], measures: Sequence[Measure]) -> list[ArmTold]:
    titles = blocks.titles({arm.group: arm.info for arm in arms})
    rows = [(arm, measure, *arm.course(measure)) for arm in arms for measure in measures]
    rows = [row for row in rows if len(row[2])]
    found = courses([(measure, values) for _, measure, _, values in rows])
    told: dict[int, list[CourseTold]] = {id(arm): [] for arm in arms}
    for (arm, measure, places, values), course in zip(rows, found, strict=True):
        changes = [ChangeTold(change, _versions(arm, places, change.at)) for change in course.changes]
        means = [float(each.mean()) for each in values]
        source = arm.sources.get(measure.name, "")
        told[id(arm)].append(CourseTold(measure, places, means, course, changes, source))
    return [_arm(arm, titles[arm.group], told[id(arm)]) for arm in arms]


def _versions(arm: ArmRuns, places: Sequence[int], at: int) -> dict[str, tuple[Sequence[str], Sequence[str]]]:
    """In what the last run before a change and the first after it differ."""
    before, after = arm.runs[places[at - 1]], arm.runs[places[at]]
    return unequal(before.trials, after.trials)


def _arm(arm: ArmRuns, title: str, told: Sequence[CourseTold]) -> ArmTold:
    info = arm.info
    runs = [HistoryRun(one.run.run_id, one.run.name, one.run.started, one.run.verdict, len(one.trials))
            for one in arm.runs]  # fmt: skip
    return ArmTold(arm.group, title, info.workload, info.framework, info.execution, info.mode, arm.settings, runs, told)
