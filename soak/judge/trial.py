"""Judge one trial of a record, in a process of its own: `python -m soak.judge.trial FOLDER TRIAL` prints a judgement.

With a third argument, the chance of a false alarm, it judges a trial that still runs by what there is of it so far.

The supervisor stays light and never imports numpy; this process lives for a moment and does.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from monitors.detection import stages
from monitors.detection.alarm import holds_evidence
from monitors.detection.calibration import EVEN
from monitors.detection.conclusion import Detection
from monitors.detection.condense import condensed
from monitors.detection.floors import CLEANED, ENOUGH, preferred
from monitors.detection.holders import METRIC as PROCESS
from monitors.detection.judge import JudgeSettings, judge
from monitors.detection.members import split
from monitors.detection.series import Series
from monitors.judgement import InterimJudgement, Judgement
from monitors.model import LAYERS, Event
from monitors.text import json_value
from monitors.units import format_duration
from reports.record import TrialInfo
from soak.judge.cause import garbage_types, with_cause
from soak.judge.confirmation import confirmed, settling
from soak.judge.verdict import (
    PROBE_FAILED,
    UNSEEN,
    Expectation,
    Judged,
    Verdict,
    control_passed,
    is_aside,
    judge_run,
    judge_trial,
)
from soak.judge.working_time import lengthened, probe_share, shortened
from soak.record.damage import weighed
from soak.record.reader import Record, open_record


def judge_one(record: Record, trial: TrialInfo, settings: JudgeSettings) -> Judgement:
    """What is thought of a trial: its end, its samples, and what is known of both."""
    broke = _broke(record, trial)
    whole = record.series(trial.index)
    failed = unserved(whole)
    series, processes = _judged_series(whole, trial, broke)
    limits, loss = limits_of(record.run().environment, trial), record.loss(trial.index)
    share = probe_share(whole)
    detection = lengthened(judge(shortened(series, share), settings, limits, processes), share) if series else None
    garbage, failed_probes = garbage_types(record.events(), trial.index, whole), failures_of(record, trial)
    shown = Verdict(detection.verdict, _with_probes(detection, whole, garbage, failed_probes)) if detection else None
    said = f"{broke.message} (after {format_duration(broke.t)})" if broke else ""
    found = judge_trial(trial.end_reason, trial.end_message, shown, said, unseen_of(record, trial), failed)
    verdict = weighed(found, loss, trial.name)
    judgement = _judgement(verdict, detection, told=verdict.verdict == found.verdict)
    judgement = with_cause(judgement, record.events(), trial.index)
    if trial.settings.get("confirms"):
        return confirmed(judgement, whole, str(trial.settings.get("confirms_layer", "")), settling(trial.settings))
    return replace(judgement, control_passed=_control_passed(trial, judgement, loss.lost))


def _with_probes(detection: Detection, whole: Iterable[Series], garbage: str, failures: Sequence[str] = ()) -> str:
    """The reason, with what the probes took away, which is no leak; or that there were too few, and what that means.

    failures: of their clean-ups, each in words.
    """
    cleaned = stages.of_trial(whole)
    if cleaned is not None and cleaned.enough:
        failed = f"probes could not clean up everything: {', '.join(failures)}" if failures else ""
        return "; ".join(filter(None, (detection.reason, stages.said(cleaned, garbage), failed)))
    unsure = _may_be_garbage(detection)
    if cleaned is None and not unsure:
        return detection.reason
    few = "not probed" if cleaned is None else f"only {cleaned.count} probes, {ENOUGH} needed"
    untold = ": garbage and retained memory may look like a leak" if unsure else ""
    return f"{detection.reason}; {few}{untold}"


def _may_be_garbage(detection: Detection) -> bool:
    """Whether it leaks, or may, in a layer that a clean-up takes something of: of others a probe would tell no more."""
    if detection.verdict != "inconclusive" or (detection.leak_probability or 0.0) < EVEN:
        return detection.verdict == "leak" and detection.layer in CLEANED
    doubted = (f for f in detection.findings if f.verdict != "pass" and (f.leak_probability or 0.0) >= EVEN)
    return any(f.layer in CLEANED for f in doubted)


def judge_so_far(record: Record, trial: TrialInfo, alpha: float, settings: JudgeSettings) -> InterimJudgement:
    """What is thought of a trial that runs, and which of its series hold evidence enough for an alarm.

    alpha: chance of a false alarm over the whole trial, which its series share.
    """
    series, processes = _judged_series(record.series(trial.index), trial, _broke(record, trial))
    if not series:
        return InterimJudgement()
    detection = judge(series, settings, limits_of(record.run().environment, trial), processes)
    named, share = {one.name: one for one in series}, alpha / len(series)
    evident = [f for f in detection.findings if holds_evidence(f, share, named[f.series])]
    # What a member's series shows, the sum of all shows too: it is told once.
    told = split(evident)[0] or evident
    judgement = _judgement(Verdict(detection.verdict, detection.reason), detection)
    return InterimJudgement(judgement, tuple(finding.series for finding in told))


def _judgement(verdict: Verdict, detection: Detection | None, told: bool = True) -> Judgement:
    """A verdict with what was detected. told: whether the record is whole enough to name the layer that leaks."""
    if detection is None:
        return Judgement(verdict.verdict, verdict.reason)
    judgement = Judgement(
        verdict.verdict, verdict.reason, detection.leak_probability, detection.calibrated, findings=detection.findings
    )
    if not told or detection.verdict != "leak" or detection.layer is None:
        return judgement
    return replace(
        judgement, layer=detection.layer, member=detection.member, leak_device=detection.device,
        process=detection.process, outer=detection.outer,
    )  # fmt: skip


def _control_passed(trial: TrialInfo, judgement: Judgement, lost: int) -> bool | None:
    # What an environment that broke did to a control, or damage to its record, says nothing of the detector.
    if trial.expect is None or judgement.verdict == "invalid" or lost:
        return None
    if trial.settings.get("planted") == 0 and judgement.verdict == "inconclusive":
        return None  # a clean twin that nobody flagged
    expected = Expectation(trial.expect, trial.expect_layers, str(trial.settings.get("expect_end", "")))
    return control_passed(expected, judgement.verdict, judgement.layer, trial.end_reason)


def failures_of(record: Record, trial: TrialInfo) -> list[str]:
    """What of its clean-ups raised an error, each once."""
    said = (e.message for e in record.events() if e.trial == trial.index and e.kind == PROBE_FAILED)
    return list(dict.fromkeys(said))


def unseen_of(record: Record, trial: TrialInfo) -> str:
    """What of it was not sampled; empty where nothing is known of that."""
    return next((e.message for e in record.events() if e.trial == trial.index and e.kind == UNSEEN), "")


def _broke(record: Record, trial: TrialInfo) -> Event | None:
    """The first thing that happened to the trial's device after which its samples say nothing any more."""
    return next((e for e in record.events() if e.trial == trial.index and e.data.get("breaks")), None)


def unserved(series: Iterable[Series]) -> str:
    """Which client sent requests of which none succeeded; empty where there is none."""
    counts: dict[str, dict[str, float]] = {}
    for one in series:
        if one.metric.name in _REQUESTS and len(one.values):
            counts.setdefault(one.member, {})[one.metric.name] = float(one.values[-1])
    for member, found in counts.items():
        sent, waiting, errors = (found.get(name, 0.0) for name in _REQUESTS)
        if 0 < sent - waiting <= errors:
            return f"{member + ': ' if member else ''}0 of {sent - waiting:,.0f} requests succeeded"
    return ""


_REQUESTS = ("requests", "requests_in_flight", "request_errors")


def _judged_series(
    whole: Iterable[Series], trial: TrialInfo, broke: Event | None
) -> tuple[list[Series], list[Series]]:  # fmt: skip
    """What is judged, and series of single processes: what was sampled before the device broke."""
    end = min(broke.t if broke else math.inf, math.inf if trial.judged_until is None else trial.judged_until)
    asked = [s for s in whole if s.metric.judged or s.metric.name == PROCESS]
    known = [part for s in asked if len((part := s.part(slice(0, int(s.t.searchsorted(end))))).t)]
    judged = preferred([s for s in known if s.metric.judged])
    return condensed(judged), condensed(s for s in known if not s.metric.judged)


_OF_MEMORY = ("host_heap", "heap_held", "mmap", "pinned", "anonymous", "shared", "kernel", "total")


def limits_of(environment: Mapping[str, str], trial: TrialInfo) -> dict[str, float]:
    """How much there was for the trial, by layer: the tighter of its limit of memory and the machine's; its GPU; its
    open files.
    """
    own = trial.settings.get("memory_limit")
    machine = environment.get("memory", "").removesuffix(" kB")
    known = [float(own)] if own else []
    known += [1024.0 * float(machine)] if machine.isdigit() else []
    limits = dict.fromkeys(_OF_MEMORY, min(known)) if known else {}
    total = (trial.settings.get("gpu") or {}).get("total")
    if total:
        limits |= dict.fromkeys((layer for layer in LAYERS if layer.startswith("gpu_")), float(total))
    files = environment.get("open_files_limit", "")
    return {**limits, "fds": float(files)} if files.isdigit() else limits


def settings_of(judge_table: Mapping[str, Any]) -> JudgeSettings:
    """The `[judge]` table as recorded."""
    return JudgeSettings(min_rate_bytes_per_hour=float(judge_table["min_rate"]))


def judge_trials(trials: list[TrialInfo], interrupted: bool) -> Verdict:
    """The run's verdict from the trials that were judged."""
    judged = [_for_run(trial, trial.judgement) for trial in trials if trial.judgement is not None]
    return judge_run(judged, interrupted or len(judged) < len(trials))


def _for_run(trial: TrialInfo, found: Judgement) -> Judged:
    aside = is_aside(found.verdict, str(trial.settings.get("confirms", "")), trial.settings.get("planted"))
    return Judged(trial.name, found.verdict, found.control_passed, trial.expect, aside)


def main() -> None:
    """Judge the trial named on the command line."""
    folder, index = Path(sys.argv[1]), int(sys.argv[2])
    record = open_record(folder)
    trial = next(t for t in record.trials() if t.index == index)
    settings = settings_of(record.judge_table())
    runs = len(sys.argv) > 3
    found = judge_so_far(record, trial, float(sys.argv[3]), settings) if runs else judge_one(record, trial, settings)
    json.dump(json_value(asdict(found)), sys.stdout)


if __name__ == "__main__":
    main()
