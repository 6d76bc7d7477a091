"""Trials of many runs → arms: what was soaked in the same way again and again, its runs in the order of time. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitors.comparison.model import Measure
from monitors.comparison.places import Floats
from reports.record import RunInfo, TrialInfo
from soak.compare.agreed import agreed
from soak.compare.likeness import EXECUTION, FRAMEWORK, group_of, rest
from soak.compare.trials import ComparedTrial

PYTHON = "python"
_Settings = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ArmRun:
    """One run of an arm: its trials, which are repeats of each other."""

    run: RunInfo
    trials: Sequence[ComparedTrial]
    told: Mapping[str, Floats]
    """By measure, what its trials tell, shape (trials that tell it,)."""


@dataclass(frozen=True, slots=True)
class ArmRuns:
    """Trials of one block but for the seed, run alike but for their versions. Oldest run first."""

    group: str
    settings: Mapping[str, str]
    """What else tells it from other arms of its group: environment variables that change memory, its interpreter."""
    runs: Sequence[ArmRun]
    sources: Mapping[str, str]
    """By measure, what it was read from in all trials."""

    @property
    def info(self) -> TrialInfo:
        """Of its newest trial: the same for all but for versions, seed and repeat."""
        return self.runs[-1].trials[-1].info

    def course(self, measure: Measure) -> tuple[list[int], list[Floats]]:
        """The runs that have the measure, by their place from 0, and of each its values.

        Of proportions those of every trial: ten repeats of which five surely leak are five leaks, and their mean would
        say that nothing is known of one. Of all else one value, the mean: repeats of a run are more alike than runs.
        """
        places = [place for place, one in enumerate(self.runs) if measure.name in one.told]
        told = [self.runs[place].told[measure.name] for place in places]
        return places, told if measure.kind == "proportion" else [_mean(measure, values) for values in told]


def arms_of(trials: Sequence[ComparedTrial], measures: Sequence[Measure], last: int) -> list[ArmRuns]:
    """In the order of what they are called. last: runs of each that are kept, the newest."""
    found: dict[tuple[str, _Settings], list[ComparedTrial]] = defaultdict(list)
    for trial in trials:
        found[group_of(trial), rest(trial, "")].append(trial)
    told = [
        _arm(group, settings, _in_time(those)[-last:], measures)
        for (group, alike), several in found.items()
        for settings, those in _by_interpreter(alike, several)
    ]
    return sorted(told, key=_order)


def _by_interpreter(
    alike: _Settings, trials: Sequence[ComparedTrial]
) -> list[tuple[_Settings, Sequence[ComparedTrial]]]:
    """All trials; where one run has several interpreters beside each other, those of each: they are no repeats."""
    beside: dict[str, set[str]] = defaultdict(set)
    found: dict[str, list[ComparedTrial]] = defaultdict(list)
    for trial in trials:
        beside[trial.run.run_id].add(_interpreter(trial))
        found[_interpreter(trial)].append(trial)
    if all(len(interpreters) == 1 for interpreters in beside.values()):
        return [(alike, trials)]
    return [((*alike, (PYTHON, name or "soak's own")), those) for name, those in found.items()]


def _interpreter(trial: ComparedTrial) -> str:
    return str(trial.info.settings.get(PYTHON, ""))


def _in_time(trials: Sequence[ComparedTrial]) -> list[list[ComparedTrial]]:
    """Run by run, oldest first."""
    runs: dict[tuple[float, str], list[ComparedTrial]] = defaultdict(list)
    for trial in trials:
        runs[trial.run.started, trial.run.run_id].append(trial)
    return [runs[when] for when in sorted(runs)]


def _order(arm: ArmRuns) -> tuple[str, ...]:
    info = arm.info
    return info.workload, info.mode, info.framework, info.execution, arm.group, repr(arm.settings)


def _arm(
    group: str, alike: _Settings, runs: Sequence[Sequence[ComparedTrial]], measures: Sequence[Measure]
) -> ArmRuns:  # fmt: skip
    found = agreed([trial.readings for trials in runs for trial in trials])
    taken = iter(found.values)
    told = [ArmRun(trials[0].run, trials, _told([next(taken) for _ in trials], measures)) for trials in runs]
    settings = {name: value for name, value in alike if name not in (FRAMEWORK, EXECUTION)}
    return ArmRuns(group, settings, told, found.sources)


def _told(trials: Sequence[Mapping[str, float]], measures: Sequence[Measure]) -> dict[str, Floats]:
    found = {}
    for measure in measures:
        values = np.array([values[measure.name] for values in trials if measure.name in values], dtype=np.float64)
        values = values[np.isfinite(values) & ((values > 0) | (measure.kind != "amount"))]
        if len(values):
            found[measure.name] = values
    return found


def _mean(measure: Measure, values: Floats) -> Floats:
    """Of one run, shape (1,). Of amounts the geometric one, as their ratios are what is told."""
    return np.array([np.exp(np.log(values).mean()) if measure.kind == "amount" else values.mean()])
