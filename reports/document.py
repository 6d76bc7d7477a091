"""A record → the body of its report: plain JSON values, the source of every format. Unknown is null, never 0.

The shape is `reports/schema/soak.report-1.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from monitors import program
from monitors.detection.censuses import KIND as CENSUS
from monitors.detection.conclusion import main_finding
from monitors.detection.doses import rises
from monitors.detection.series import Series
from monitors.judgement import Judgement
from monitors.model import Event, Finding
from monitors.text import json_value
from reports import blocks, clients, controls, doses, gpu_ledger, headline, probes, sides, unjudged
from reports.record import RunInfo, RunRecord, TrialInfo

SCHEMA = "soak.report/1"
DOSES = (
    "steps",
    "frames",
    "clips",
    "stream_seconds",
    "scenes",
    "distinct_shapes",
    "traces",
    "decode_errors",
    "requests",
    "request_errors",
)
LEFT_FILES = "left_files"
"""Kind of the event that tells files that a trial left behind."""
ANSWER = "answer"
"""Kind of the event that tells how far the first answer of a member's model was from what it should be."""
_OF_A_SERIES = ("series", "layer", "unit", "samples", "gaps")
_OF_A_FINDING = tuple(field.name for field in fields(Finding) if field.name not in _OF_A_SERIES)


def build(record: RunRecord, diagnosis: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The whole report of a run, finished or not. diagnosis: what `reports.diagnosis.read` found in its folder."""
    run, infos, events = record.run(), record.trials(), record.events()
    trials = [{**_trial(info, record), **_confirmation(info, infos)} for info in infos]
    body: dict[str, Any] = json_value({
        "schema": SCHEMA,
        "run": _run(run, trials, record.damage()),
        "trials": trials,
        "blocks": [_block(block, trials) for block in blocks.of_run(infos)],
        # What censuses say is told by the trials; one is as long as all the rest.
        "events": [_event(event) for event in events if event.kind != CENSUS],
        **({"diagnosis": diagnosis} if diagnosis else {}),
    })  # fmt: skip
    return body


def _block(block: dict[str, Any], trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """It with an answer to which of its frameworks leaks."""
    by_index = {trial["index"]: trial for trial in trials}
    return {**block, "answer": sides.answer([by_index[index] for index in block["trials"]])}


def _run(run: RunInfo, trials: Sequence[Mapping[str, Any]], damage: Sequence[str]) -> dict[str, Any]:
    unfinished = run.ended is None and (run.verdict is None or not damage)
    known = controls.of_run(trials)
    return {
        "id": run.run_id,
        "name": run.name,
        "verdict": run.verdict,
        "headline": headline.of_run(run.verdict, run.reason, unfinished, trials),
        "reason": run.reason,
        "controls": known,
        "controls_text": controls.said(known),
        "probes_differ": probes.differences(trials),
        "damage": list(damage),
        "unfinished": unfinished,
        "started": run.started,
        "ended": run.ended,
        "soak_version": run.soak_version,
        "seed": run.seed,
        "command": run.command,
        "config_path": run.config_path,
        "config": run.config_text,
        "environment": dict(run.environment),
    }


def _trial(info: TrialInfo, record: RunRecord) -> dict[str, Any]:
    series = record.series(info.index)
    loss = record.loss(info.index)
    whole = _whole(series)
    standing = speaker(info.judgement)
    return {
        "index": info.index,
        "name": info.name,
        "workload": info.workload,
        "framework": info.framework,
        "mode": info.mode,
        "execution": info.execution,
        "seed": info.seed,
        "block": info.block,
        "arm": info.arm,
        "device": info.device,
        "state": info.state,
        "started": info.started,
        "seconds": info.seconds,
        "judged_until": info.judged_until,
        "end_reason": info.end_reason,
        "end_message": info.end_message,
        **_judged(info.judgement),
        "rate": _rate(standing),
        "minimum_detectable_rate": _detectable(standing),
        "control": _control(info),
        "rounds": {"written": loss.rounds, "damaged": loss.lost} if loss.rounds else None,
        "doses": _doses(info, series, whole),
        "frames_per_second": _mean_rate(whole, "frames", at_work=True),
        "steps_per_second": _mean_rate(whole, "steps", at_work=True),
        "step_latency_seconds": _median(whole, "step_latency_seconds"),
        "probes": probes.of_trial(info, series, whole),
        "tester": _tester(whole),
        "gpu": gpu_ledger.of_trial(info, series),
        "serving": clients.of_trial(series, info.judgement.findings if info.judgement else ()),
        "series": _series(series, info.judgement.findings if info.judgement else ()),
        "answer": _answer([e.data for e in record.events() if e.trial == info.index and e.kind == ANSWER]),
        "left_files": [
            {"message": e.message, **e.data} for e in record.events() if e.trial == info.index and e.kind == LEFT_FILES
        ],
        "settings": dict(info.settings),
        "environment": dict(info.environment),
    }


def _whole(series: Sequence[Series]) -> dict[str, Series]:
    """By metric: the series of the trial as a whole, or of the first member that has one."""
    found: dict[str, Series] = {}
    for one in sorted(series, key=lambda one: bool(one.member)):
        if not one.device and not one.label and len(one.t):
            found.setdefault(one.metric.name, one)
    return found


def _judged(found: Judgement | None) -> dict[str, Any]:
    """What is thought of a trial, or of one that was not judged."""
    if found is None:
        return {
            "verdict": None,
            "reason": "",
            "leak_probability": None,
            "calibrated": False,
            "layer": None,
            "held_by": None,
            "cause": "",
            "causes": [],
        }
    return {
        "verdict": found.verdict,
        "reason": found.reason,
        "leak_probability": found.leak_probability,
        "calibrated": found.calibrated,
        "layer": found.layer,
        "held_by": _held_by(found),
        "cause": found.cause,
        "causes": [asdict(grown) for grown in found.causes],
    }


def _held_by(judgement: Judgement) -> dict[str, str] | None:
    """Whose the layer is that leaks, as far as there are several: member, device, process."""
    held = {"member": judgement.member, "device": judgement.leak_device, "process": judgement.process}
    return held if any(held.values()) else None


def speaker(judgement: Judgement | None) -> Finding | None:
    """The finding whose numbers stand for the trial: of a leak, what the machine loses to it, where that is known."""
    if judgement is None:
        return None
    findings, held = judgement.findings, (judgement.layer, judgement.member, judgement.leak_device)
    for finding in findings:
        if judgement.outer and finding.series == judgement.outer:
            return finding
    for finding in findings:
        if finding.verdict == "leak" and (finding.layer, finding.member, finding.device) == held:
            return finding
    # Without a leak the trial as a whole speaks, then any member.
    return main_finding(sorted(findings, key=lambda f: bool(f.member or f.device)))


def _rate(finding: Finding | None) -> dict[str, Any] | None:
    if finding is None or finding.rate_per_hour is None:
        return None
    low, high = finding.rate_per_hour_ci95 or (None, None)
    return {
        "series": finding.series,
        "layer": finding.layer,
        "unit": finding.unit,
        "per_hour": finding.rate_per_hour,
        "per_hour_low": low,
        "per_hour_high": high,
        "per_step": finding.rate_per_step,
        "per_dose": {name: rate.rate for name, rate in finding.rate_per_dose.items()},
        "by_dose": doses.values(finding.by_dose),
        "by_dose_text": doses.said(finding.by_dose, finding.unit),
        "hours_to_exhaustion": finding.hours_to_exhaustion,
        "onset_seconds": finding.onset,
    }


def _detectable(finding: Finding | None) -> dict[str, Any] | None:
    if finding is None or finding.minimum_detectable_rate_per_hour is None:
        return None
    return {
        "series": finding.series,
        "unit": finding.unit,
        "per_hour": finding.minimum_detectable_rate_per_hour,
    }


def _control(info: TrialInfo) -> dict[str, Any] | None:
    if info.expect is None:
        return None
    return {
        "expect": info.expect,
        "expect_layers": list(info.expect_layers),
        "passed": info.judgement.control_passed if info.judgement else None,
    }


def _answer(told: Sequence[Mapping[str, Any]]) -> dict[str, float | None] | None:
    """Of the member that is the farthest off; one whose difference is no number is farther than any."""
    known = [(_number(each.get("difference")), _number(each.get("tolerance"))) for each in told]
    off = [(np.inf if difference is None else difference, within) for difference, within in known if within is not None]
    if not off:
        return None
    difference, within = max(off)
    return {"difference": difference if difference < np.inf else None, "tolerance": within}


def _number(value: object) -> float | None:
    """A finite one, or nothing: what a worker tells may be anything."""
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else None


def _confirmation(info: TrialInfo, infos: Sequence[TrialInfo]) -> dict[str, str]:
    """Which trial it explains, if any; and what the trial found that explains it."""
    found = next((o for o in infos if o.settings.get("confirms") == info.name and o.judgement), None)
    said = found.judgement.reason if found and found.judgement else ""
    return {"confirms": str(info.settings.get("confirms", "")), "confirmation": said}


def _doses(info: TrialInfo, series: Sequence[Series], whole: Mapping[str, Series]) -> dict[str, float]:
    own = [one.label for one in series if one.metric.name == program.VALUE.name and rises(one.values)]
    sampled = {name: float(whole[name].values[-1]) for name in DOSES if name in whole}
    return sampled | {name: info.last_values[name] for name in (*own, *DOSES) if name in info.last_values}


def _mean_rate(whole: Mapping[str, Series], name: str, at_work: bool = False) -> float | None:
    """Per second, from the first to the last time that the counter was told. at_work: without the time of probes."""
    one, probed = whole.get(name), whole.get("probe_seconds")
    if one is None:
        return None
    span = float(one.t[-1] - one.t[0]) - (float(probed.values.sum()) if at_work and probed is not None else 0.0)
    return float(one.values[-1] - one.values[0]) / span if span > 0 else None


def _median(whole: Mapping[str, Series], name: str) -> float | None:
    if name not in whole:
        return None
    values = whole[name].values
    return float(np.partition(values, len(values) // 2)[len(values) // 2])


def _tester(whole: Mapping[str, Series]) -> dict[str, Any]:
    """What soak itself took: its largest resident memory, its share of one core."""
    cpu = _mean_rate(whole, "tester_cpu_seconds")
    memory = whole.get("tester_rss_bytes")
    return {
        "rss_bytes": float(memory.values.max()) if memory is not None else None,
        "cpu_of_one_core": cpu,
    }


def _series(series: Sequence[Series], findings: Sequence[Finding]) -> list[dict[str, Any]]:
    judged: dict[str, list[Finding]] = {}
    for finding in findings:
        judged.setdefault(finding.series, []).append(finding)
    return [
        {
            "name": one.name,
            "metric": one.metric.name,
            "member": one.member,
            "device": one.device,
            "label": one.label,
            "unit": one.metric.unit,
            "layer": one.metric.layer,
            "help": one.metric.help,
            "not_judged": unjudged.reason(one),
            "samples": len(one.t),
            "gaps": one.gaps,
            "first": float(one.values[0]),
            "last": float(one.values[-1]),
            "lowest": float(one.values.min()),
            "highest": float(one.values.max()),
            "findings": [_finding(f) for f in judged.get(one.name, ())],
        }
        for one in series
        if len(one.t)
    ]


def _finding(finding: Finding) -> dict[str, Any]:
    """But for what its series says of itself."""
    each = {name: {"rate": one.rate, "ci95": one.ci95} for name, one in finding.rate_per_dose.items()}
    told = {"rate_per_dose": each, "by_dose": doses.values(finding.by_dose)}
    return {name: getattr(finding, name) for name in _OF_A_FINDING} | told


def _event(event: Event) -> dict[str, Any]:
    return {
        "t": event.t,
        "wall": event.wall,
        "trial": event.trial,
        "kind": event.kind,
        "message": event.message,
        "data": dict(event.data),
    }
