"""Trials of many runs → arms: what was soaked in the same way again and again, its runs in the order of time. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitors.comparison.model import Measure
from monitors.comparison.places import Floats
from reports.record import RunInfo, TrialInfo
from soak.compare.likeness import group_of, rest
from soak.compare.readings import agreed
from soak.compare.trials import ComparedTrial

_Key = tuple[str, tuple[tuple[str, str], ...], str]


@dataclass(frozen=True, slots=True)
class ArmRun:
    """One run of an arm: its trials, which are repeats of each other, and their mean by measure."""

    run: RunInfo
    trials: Sequence[ComparedTrial]
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ArmRuns:
    """Trials of one block but for the seed, run alike but for their versions. Oldest run first."""

    group: str
    runs: Sequence[ArmRun]

    @property
    def info(self) -> TrialInfo:
        """Of its newest trial: the same for all but for versions, seed and repeat."""
        return self.runs[-1].trials[-1].info

    def course(self, measure: Measure) -> tuple[list[int], Floats]:
        """The runs that have the measure, by their place from 0, and its values."""
        places = [place for place, one in enumerate(self.runs) if measure.name in one.values]
        return places, np.array([self.runs[place].values[measure.name] for place in places])


def arms_of(trials: Sequence[ComparedTrial], measures: Sequence[Measure], last: int) -> list[ArmRuns]:
    """In the order of what they are called. last: runs of each that are kept, the newest."""
    found: dict[_Key, dict[str, list[ComparedTrial]]] = defaultdict(lambda: defaultdict(list))
    for trial in _once(trials):
        found[_key(trial)][trial.run.run_id].append(trial)
    told = [
        _arm(group, sorted(runs.values(), key=lambda those: _when(those[0]))[-last:], measures)
        for key, by_run in found.items()
        for group, runs in _by_interpreter(key, by_run)
    ]
    return sorted(told, key=_order)


def _once(trials: Sequence[ComparedTrial]) -> list[ComparedTrial]:
    """Each once: two paths may name one run."""
    return list({(trial.run.run_id, trial.run.started, trial.info.index): trial for trial in trials}.values())


def _key(trial: ComparedTrial) -> _Key:
    return group_of(trial), rest(trial, ""), ""


def _by_interpreter(
    key: _Key, runs: Mapping[str, Sequence[ComparedTrial]]
) -> list[tuple[str, Mapping[str, list[ComparedTrial]]]]:
    """All runs; where one has several interpreters beside each other, those of each, as they are no repeats."""
    several = any(len({_interpreter(trial) for trial in trials}) > 1 for trials in runs.values())
    found: dict[str, dict[str, list[ComparedTrial]]] = defaultdict(lambda: defaultdict(list))
    for run, trials in runs.items():
        for trial in trials:
            found[_interpreter(trial) if several else ""][run].append(trial)
    return [(key[0], of_one) for of_one in found.values()]


def _interpreter(trial: ComparedTrial) -> str:
    return str(trial.info.settings.get("python", ""))


def _when(trial: ComparedTrial) -> tuple[float, str]:
    return trial.run.started, trial.run.run_id


def _order(arm: ArmRuns) -> tuple[str, ...]:
    info = arm.info
    return info.workload, info.mode, info.framework, info.execution, arm.group, info.arm


def _arm(group: str, runs: Sequence[Sequence[ComparedTrial]], measures: Sequence[Measure]) -> ArmRuns:
    taken = iter(agreed([trial.readings for trials in runs for trial in trials]).values)
    return ArmRuns(group, [
        ArmRun(trials[0].run, trials, _means([next(taken) for _ in trials], measures)) for trials in runs
    ])  # fmt: skip


def _means(trials: Sequence[Mapping[str, float]], measures: Sequence[Measure]) -> dict[str, float]:
    """Of amounts the geometric one, as their ratios are what is told."""
    found = {}
    for measure in measures:
        values = np.array([values[measure.name] for values in trials if measure.name in values])
        if measure.kind == "amount":
            values = np.log(values[values > 0])
        values = values[np.isfinite(values)]
        if len(values):
            found[measure.name] = float(np.exp(values.mean()) if measure.kind == "amount" else values.mean())
    return found
