"""Answers to claims → the JSON document, from which terminal and page are made. Schema `soak.claims/1`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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
from soak.claims.trials import ClaimTrial
from workloads import frameworks

SCHEMA = "soak.claims/1"
_FPS = 25.0
_WORDS = {"frames": "frames", "tokens": "tokens", "requests": "requests", "steps": "steps"}


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
        "claims": [_claim(verdict, one) for verdict in one.verdicts],
        "experiments": [
            {"name": name, "title": runs.experiment.title, "runs": [folder.name for folder in runs.folders],
             "failed": runs.failed, "left_out": list(one.left_out.get(name, ()))}
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
        "reason": verdict.reason,
        "brief": verdict.brief,
        "statements": [_statement(each) for each in verdict.statements],
        "beside": [_statement(each) for each in verdict.beside],
        "dose": dose(verdict.trials),
        "machines": machines(verdict.trials),
        "takes": table.takes if verdict.answer == "undecided" else "",
        "limits": table.limits,
        "left_out": list(one.left_out.get(table.experiment, ())),
    }


def _statement(one: StatementAnswer) -> dict[str, Any]:
    result, differs = one.result, one.difference
    return {
        "text": one.text,
        "sides": [
            {"name": side.name, "measure": side.measure, **_estimate(side.estimate), "trials": side.trials}
            for side in one.sides
        ],
        "relative": None if differs is None or differs.relative is None else _estimate(differs.relative),
        "absolute": None if differs is None else _estimate(differs.absolute),
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
    if info.workload:
        return f"{info.workload} {info.framework} {info.execution} {info.mode}"
    return info.name.rstrip("0123456789").rstrip("-")


def _through(trials: Sequence[ClaimTrial]) -> str:
    """All that went through them together, by the first dose that they count."""
    for name, word in _WORDS.items():
        total = sum(trial.doses.get(name, 0.0) for trial in trials)
        if total:
            hours = f" ({total / _FPS / 3600:.3g} h of video at {_FPS:g} frames a second)" if name == "frames" else ""
            return f"{total:,.0f} {word} in all{hours}"
    return "nothing counted"


def machines(trials: Sequence[ClaimTrial]) -> list[str]:
    """Each machine once: processors, GPUs, versions of frameworks, days."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for trial in trials:
        versions, days = found.setdefault(_machine(trial), (set(), set()))
        versions.update(_versions(trial))
        days.add(datetime.fromtimestamp(trial.run.started, UTC).strftime("%Y-%m-%d"))
    return [", ".join((machine, *sorted(versions), *sorted(days))) for machine, (versions, days) in found.items()]


def _machine(trial: ClaimTrial) -> str:
    environment, gpu = trial.run.environment, trial.info.settings.get("gpu")
    cards = f"{gpu.get('model', 'a GPU')}, " if isinstance(gpu, Mapping) else ""
    return f"{cards}{environment.get('cpus', '?')} CPUs of {environment.get('cpu', 'an unknown processor')}"


def _versions(trial: ClaimTrial) -> list[str]:
    said = trial.info.environment
    return [f"{name} {said[name]}" for name in frameworks.names() if name in said]
