"""How a trial ended and what its series show → its verdict; the verdicts of all trials → the run's. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitors.judgement import BESIDE, TrialVerdict

EXIT_CODES = {"pass": 0, "leak": 1, "unstable": 1, "inconclusive": 3, "invalid": 4, "error": 4}

UNSEEN = "unseen_process"
"""Kind of the event that something of a trial, or of another beside it, was not sampled."""
PROBE_FAILED = "probe_failed"
"""Kind of the event that a part of a clean-up raised an error: what it would have taken stays in the floors."""

_UNSTABLE_ENDS = ("crashed", "hung", "probe_hung", "nan", "failed", "oom", "corrupted")
_CUT_ENDS = ("interrupted", "stopped", "lost", "")
"""And what has not ended at all: it runs, or soak was killed."""
_INVALID_ENDS = ("low_disk", "device_lost")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict and the one sentence behind it."""

    verdict: TrialVerdict
    reason: str


def judge_trial(
    end_reason: str, end_message: str, shown: Verdict | None, broke: str = "", unseen: str = "", unserved: str = ""
) -> Verdict:  # fmt: skip
    """The verdict of one trial, of which its series show by themselves what `shown` says.

    A trial that broke off by its own fault is `unstable`, but for one: memory that grew until the trial was killed
    for it is the leak it looks like. What was cut short from outside can show a leak, never the absence of one. Where
    its device broke under it (broke: what happened, and when), nothing is said: a device in trouble explains anything.
    Where something of it was not sampled (unseen: what), or no request of a client succeeded (unserved: of which), it
    cannot pass.
    """
    if broke:
        return Verdict("invalid", f"the device broke: {broke}" + (f"; until then: {shown.reason}" if shown else ""))
    leaks = shown is not None and shown.verdict == "leak"
    if end_reason == "broken":
        return Verdict("error", end_message or "it could not be started")
    if end_reason == "garbled":
        return Verdict("error", f"the worker broke the protocol: {end_message}")
    if end_reason == "wrong_answer":
        return Verdict("error", f"it does not compute what it should: {end_message}")
    if end_reason in _UNSTABLE_ENDS:
        said = f"{_ENDED[end_reason]}: {end_message}" if end_message else _ENDED[end_reason]
        if shown is not None and leaks:
            return Verdict("leak" if end_reason == "oom" else "unstable", f"{said}; before that: {shown.reason}")
        return Verdict("unstable", said)
    if end_reason in _INVALID_ENDS:
        return Verdict("invalid", f"the environment broke: {end_message}")
    if shown is None:
        return Verdict("inconclusive", "it ended before a sample was taken" if end_reason else "no sample was taken")
    if end_reason in _CUT_ENDS and not leaks:
        cut = f"{_ENDED[end_reason]} before its end" if end_reason else "it has not ended"
        return Verdict("inconclusive", f"{cut}; until then: {shown.reason}")
    return _as_far_as(shown, unseen, unserved)


def _as_far_as(shown: Verdict, unseen: str, unserved: str) -> Verdict:
    """A trial that ran to its end passes as far as it was seen, and did what it was to be judged by."""
    if shown.verdict == "pass" and unseen:
        return Verdict("inconclusive", f"{unseen}; in the sampled part: {shown.reason}")
    if shown.verdict == "pass" and unserved:
        return Verdict("inconclusive", f"{unserved}, so the work that it is judged by was not done; {shown.reason}")
    return shown


_ENDED = {
    "crashed": "crashed",
    "hung": "hung",
    "probe_hung": "hung in a probe",
    "nan": "produced NaN",
    "failed": "a step failed",
    "oom": "out of memory",
    "corrupted": "silent corruption",
    "interrupted": "interrupted",
    "stopped": "stopped",
    "lost": "lost when soak was killed",
}


@dataclass(frozen=True, slots=True)
class Expectation:
    """The known truth of a control."""

    verdict: str
    layers: tuple[str, ...] = ()
    end: str = ""


def control_passed(expected: Expectation, verdict: TrialVerdict, layer: str | None, end_reason: str) -> bool:
    """Whether a control was judged as expected."""
    return (
        verdict == expected.verdict
        and (not expected.layers or layer in expected.layers)
        and (not expected.end or end_reason == expected.end)
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """A trial for the run's verdict."""

    name: str
    verdict: TrialVerdict
    control_passed: bool | None
    expected: str | None = None
    aside: bool = False
    """Whether it counts for no verdict: it explains another, or is a clean twin that stayed inconclusive."""


def is_aside(verdict: TrialVerdict, confirms: str, planted: object) -> bool:
    """Whether a trial counts for no verdict.

    planted: bytes an hour, of a control that tells them; 0 for a clean twin.
    """
    return bool(confirms) or (planted == 0 and verdict == "inconclusive")


def judge_run(trials: Sequence[Judged], interrupted: bool = False) -> Verdict:
    """The verdict of a run: no better than its controls allow, then the worst of the trials under test."""
    trials = [trial for trial in trials if not trial.aside]
    failed = [t for t in trials if t.control_passed is False and not (interrupted and t.verdict == "inconclusive")]
    if failed:
        said = "; ".join(f"{t.name} was expected to be {t.expected} and is {t.verdict}" for t in failed[:3])
        if len(failed) > 3:
            said += f"; and {len(failed) - 3} more"
        return Verdict("invalid", f"{_count(failed, 'control')} failed, so this run is not valid: {said}")
    tested = [t for t in trials if t.control_passed is None]
    controls = [t for t in trials if t.control_passed]
    under_test = f"{len(tested)} trials{' under test' if controls else ''}"
    for verdict, (one, several) in _WORST_FIRST.items():
        found = [t.name for t in tested if t.verdict == verdict]
        if found and len(tested) == 1:
            return Verdict(verdict, f"{found[0]} {one}")
        if found:
            said = one if len(found) == 1 else several
            return Verdict(verdict, f"{len(found)} of {under_test} {said}: {', '.join(found)}")
    if interrupted or not trials:
        return Verdict("inconclusive", "interrupted before all trials had run")
    if not tested:
        return Verdict("pass", f"no trial was under test{BESIDE}{_as_expected(controls)}")
    said = f"no leak in {tested[0].name if len(tested) == 1 else under_test}"
    return Verdict("pass", f"{said}{BESIDE}{_as_expected(controls)}" if controls else said)


def _as_expected(controls: Sequence[Judged]) -> str:
    """What the controls were: who reads of a leak beside "no leak" must know that it is there on purpose."""
    kinds = Counter(t.verdict for t in controls)
    words = {kind: _CONTROLS.get(kind, f"ended as {kind}") for kind in kinds}
    told = list(words.values()) if len(kinds) == 1 else [f"{kinds[kind]} {said}" for kind, said in words.items()]
    return f"{_count(controls, 'control')} as expected ({', '.join(told)})"


_CONTROLS: dict[TrialVerdict, str] = {"leak": "leaked on purpose", "pass": "passed"}
_WORST_FIRST: dict[TrialVerdict, tuple[str, str]] = {
    "leak": ("leaks", "leak"),
    "unstable": ("failed", "failed"),
    "error": ("could not run", "could not run"),
    "invalid": ("ran in an environment that broke", "ran in an environment that broke"),
    "inconclusive": ("is inconclusive", "are inconclusive"),
}
"""Of one trial, and of several."""


def _count(things: Iterable[object], noun: str) -> str:
    number = len(list(things))
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
