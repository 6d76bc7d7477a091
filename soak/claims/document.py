"""Answers to claims → the JSON document, from which terminal and page are made. Schema `soak.claims/1`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from monitors.comparison.model import Estimate
from monitors.text import json_value
from monitors.units import format_duration
from soak.claims.answers import ClaimVerdict, StatementAnswer
from soak.claims.running import ExperimentRuns
from soak.claims.tables import ClaimsFile
from soak.claims.trials import FPS, ClaimTrial, hours_of_video
from soak.plan.block import COMMAND
from workloads import frameworks

SCHEMA = "soak.claims/1"
_DOSES = ("requests", "frames", "tokens", "steps")
"""The first of these that is counted is told: who asks a server sends frames in requests."""
_DISTURBED = 0.1
"""Share of a machine's processors that other programs took, from which on it is told."""


@dataclass(frozen=True, slots=True)
class FileAnswers:
    """A file of claims with what came of them."""

    file: ClaimsFile
    verdicts: Sequence[ClaimVerdict]
    runs: Mapping[str, ExperimentRuns]
    left_out: Mapping[str, Sequence[str]]
    """By experiment."""


def build(files: Sequence[FileAnswers], commands: Sequence[str]) -> dict[str, Any]:
    """The whole document. commands: by which it is made again."""
    body: dict[str, Any] = json_value({
        "schema": SCHEMA,
        "files": [_file(one) for one in files],
        "commands": list(commands),
    })  # fmt: skip
    return body


def _file(one: FileAnswers) -> dict[str, Any]:
    return {
        "path": str(one.file.path),
        "title": one.file.title,
        "about": one.file.about,
        "disturbed": _disturbed(one.verdicts),
        "claims": [_claim(verdict, one) for verdict in one.verdicts],
        "experiments": [
            {"name": name, "title": runs.experiment.title, "runs": [folder.name for folder in runs.folders],
             "another_config": list(runs.differs), "failed": runs.failed, "left_out": list(one.left_out.get(name, ()))}
            for name, runs in one.runs.items()
        ],
    }  # fmt: skip


def _claim(verdict: ClaimVerdict, one: FileAnswers) -> dict[str, Any]:
    table = verdict.claim.table
    return {
        "name": table.name,
        "says": table.says,
        "source": table.source,
        "experiment": table.experiment,
        "answer": verdict.answer,
        "here": verdict.here,
        "reason": verdict.reason,
        "brief": verdict.brief,
        "statements": [_statement(each) for each in verdict.statements],
        "beside": [_statement(each) for each in verdict.beside],
        "dose": dose(verdict.trials),
        "machines": machines(verdict.trials),
        "another_config": list(one.runs[table.experiment].differs),
        "takes": table.takes if verdict.answer == "undecided" else "",
        "limits": table.limits,
        "left_out": list(one.left_out.get(table.experiment, ())),
    }


def _statement(one: StatementAnswer) -> dict[str, Any]:
    result, differs = one.result, one.difference
    return {
        "text": one.text,
        "first": one.names[0],
        "second": one.names[1],
        "sides": [
            {"name": side.name, "measure": side.measure, **_estimate(side.estimate), "trials": side.trials}
            for side in one.sides
        ],
        "relative": None if differs is None or differs.relative is None else _estimate(differs.relative),
        "absolute": None if differs is None else _estimate(differs.absolute),
        "unequal": [
            {"name": name, "first": list(first), "second": list(second)}
            for name, (first, second) in one.unequal.items()
        ],
        **({} if result is None else
           {"answer": result.answer, "reason": result.reason, "further": result.further}),
    }  # fmt: skip


def _estimate(one: Estimate) -> dict[str, Any]:
    return {"value": one.value, "ci95": None if one.low is None or one.high is None else [one.low, one.high]}


def dose(trials: Sequence[ClaimTrial]) -> str:
    """How many trials of what there were, how long, and what went through each of a kind; empty without any."""
    if not trials:
        return ""
    kinds = Counter(_kind(trial) for trial in trials)
    told = []
    for kind, count in kinds.items():
        these = [trial for trial in trials if _kind(trial) == kind]
        seconds = float(np.median([trial.info.seconds or 0.0 for trial in these]))
        told.append(f"{count} × {kind}, {format_duration(seconds)} each: {_through(these)}")
    return "; ".join(told)


def _kind(trial: ClaimTrial) -> str:
    info = trial.info
    if info.workload and info.mode != COMMAND:
        return f"{info.workload} {info.framework} {info.execution} {info.mode}"
    return info.name.rstrip("0123456789").rstrip("-")


def _through(trials: Sequence[ClaimTrial]) -> str:
    """All that went through them together, by the first dose that they count."""
    for name in _DOSES:
        total = sum(trial.doses.get(name, 0.0) for trial in trials)
        if total:
            hours = f" ({hours_of_video(trials):.3g} h of video at {FPS:g} frames a second)" if name == "frames" else ""
            return f"{total:,.0f} {name} in all{hours}"
    return "nothing counted"


def machines(trials: Sequence[ClaimTrial]) -> list[str]:
    """Each machine once: processors, GPUs, versions of frameworks, days, what other programs took of it."""
    found: dict[str, list[ClaimTrial]] = {}
    for trial in trials:
        found.setdefault(_machine(trial), []).append(trial)
    return [", ".join((machine, *_facts(these))) for machine, these in found.items()]


def _facts(trials: Sequence[ClaimTrial]) -> Iterator[str]:
    yield from sorted({version for trial in trials for version in _versions(trial)})
    yield from sorted({datetime.fromtimestamp(trial.run.started, UTC).strftime("%Y-%m-%d") for trial in trials})
    if share := _share_of_others(trials):
        yield f"other programs took {100 * share:.0f} % of the CPUs"


def _share_of_others(trials: Sequence[ClaimTrial]) -> float:
    """Of the processors of their machine, over the time that each trial ran; 0 where it is not known."""
    known = [(trial.others / cpus, trial.info.seconds or 0.0) for trial in trials
             if trial.others is not None and (cpus := _cpus(trial))]  # fmt: skip
    whole = sum(seconds for _, seconds in known)
    return sum(share * seconds for share, seconds in known) / whole if whole else 0.0


def _disturbed(verdicts: Sequence[ClaimVerdict]) -> str:
    """A sentence where other programs took much of the machine; empty where they did not, or nobody knows."""
    shares = [_share_of_others(verdict.trials) for verdict in verdicts]
    most = max(shares, default=0.0)
    if most < _DISTURBED:
        return ""
    return (
        f"Other programs used the machine too while this ran, up to {100 * most:.0f} % of its CPUs, which widens the "
        "intervals of speeds and latencies."
    )


def _cpus(trial: ClaimTrial) -> int:
    said = trial.run.environment.get("cpus", "")
    return int(said) if said.isdecimal() else 0


def _machine(trial: ClaimTrial) -> str:
    environment, gpu = trial.run.environment, trial.info.settings.get("gpu")
    cards = f"{gpu.get('model', 'a GPU')}, " if isinstance(gpu, Mapping) else ""
    return f"{cards}{environment.get('cpus', '?')} CPUs of {environment.get('cpu', 'an unknown processor')}"


def _versions(trial: ClaimTrial) -> list[str]:
    said = trial.info.environment
    return [f"{name} {said[name]}" for name in frameworks.names() if name in said]
