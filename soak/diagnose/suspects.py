"""Which trial of a run is to be diagnosed: the one that is named, or the one that most probably leaks."""

from __future__ import annotations

from collections.abc import Sequence

from reports.record import TrialInfo
from soak.errors import UsageError

LEAST = 0.1
"""Leak probability from which a trial without a verdict is suspected."""
_SHOWN = 20


def suspected(trials: Sequence[TrialInfo]) -> list[TrialInfo]:
    """Those that may leak, the surest first. A control that was judged as expected leaks on purpose, and is none."""
    found = [trial for trial in trials if _is_suspected(trial)]
    return sorted(found, key=lambda trial: (trial.verdict != "leak", -_probability(trial)))


def _is_suspected(trial: TrialInfo) -> bool:
    judged = trial.judgement
    if judged is None or judged.control_passed:
        return False
    return trial.verdict == "leak" or (trial.verdict != "pass" and _probability(trial) >= LEAST)


def _probability(trial: TrialInfo) -> float:
    judged = trial.judgement
    return (judged.leak_probability if judged else None) or 0.0


def chosen(trials: Sequence[TrialInfo], name: str | None, where: str) -> TrialInfo:
    """The trial to diagnose.

    Args:
        trials: of the run.
        name: of the one that is asked for, or how it begins if no other begins so; None for the most suspected.
        where: the run, for errors.

    Raises:
        UsageError: there is no such trial, or none is suspected.
    """
    names = ", ".join(trial.name for trial in trials[:_SHOWN]) or "none"
    if name is None:
        found = suspected(trials)
        if not found:
            raise UsageError(f"{where}: no trial is suspected of a leak; choose one with --trial NAME: {names}")
        return found[0]
    found = [trial for trial in trials if trial.name == name] or [t for t in trials if t.name.startswith(name)]
    if len(found) != 1:
        what = f"{len(found)} trials begin with this name" if found else "no trial has this name"
        raise UsageError(f"--trial {name}: {what}; expected one of: {names}")
    return found[0]
