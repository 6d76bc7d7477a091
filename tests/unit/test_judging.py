"""The answer of a judge's process is read as what it has to be, or there is none."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from monitors.judgement import InterimJudgement, Judgement
from monitors.model import Finding, RatePerDose
from soak.engine.short_lived import ProcessOutcome
from soak.judge import process
from soak.judge.process import ATTEMPTS, Judging, JudgingFailed

FINDING = Finding(
    "trend", "anonymous_bytes", "anonymous", "bytes", "leak", 0.9, True, 1e6, (9e5, 1.1e6), None, 1e5, "linear",
    "grows", 60, 0, rate_per_dose={"frames": RatePerDose(2.0, (1.0, 3.0))}, hours_to_exhaustion_ci95=(2.0, None),
)  # fmt: skip
JUDGEMENT = Judgement("leak", "grows", 0.9, True, "anonymous", control_passed=True, findings=(FINDING,))


class Ended:
    """A process that has ended as is known beforehand."""

    outcome_is = ProcessOutcome(0, b"")
    starts = 0
    pid = 1

    def __init__(self, *_: object) -> None:
        Ended.starts += 1

    def outcome(self) -> ProcessOutcome:
        return self.outcome_is


@pytest.fixture(autouse=True)
def ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "ShortLived", Ended)
    monkeypatch.setattr(Ended, "starts", 0)


def test_a_judgement_comes_back_as_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ended, "outcome_is", ProcessOutcome(0, json.dumps(asdict(JUDGEMENT)).encode()))
    assert Judging(Judgement, Path("run"), 3).result() == JUDGEMENT
    interim = InterimJudgement(JUDGEMENT, ("anonymous_bytes",))
    monkeypatch.setattr(Ended, "outcome_is", ProcessOutcome(0, json.dumps(asdict(interim)).encode()))
    assert Judging(InterimJudgement, Path("run"), 3, "0.05").result() == interim


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (ProcessOutcome(0, b"nonsense"), "cannot be read"),
        (ProcessOutcome(0, b'{"verdict": "maybe", "reason": "so"}'), "cannot be read"),
        (ProcessOutcome(0, b'{"verdict": "leak", "reason": "so", "findings": [{}]}'), "cannot be read"),
        (ProcessOutcome(0, b"[" * 100_000), "cannot be read"),
        (ProcessOutcome(0, b'{"verdict": "leak", "reason": "\xff"}'), "cannot be read"),
        (ProcessOutcome(1, b"", last_words="MemoryError"), "MemoryError"),
        (ProcessOutcome(3, b""), "exit status 3"),
        (ProcessOutcome(-9, b"", "it took longer than 300 s", late=True), "it took longer"),
    ],
)
def test_what_is_no_judgement_says_why_there_is_none(
    outcome: ProcessOutcome, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ended, "outcome_is", outcome)
    found = Judging(Judgement, Path("run"), 3).result()
    assert isinstance(found, JudgingFailed)
    assert reason in found.reason


def test_a_judge_that_was_killed_judges_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ended, "outcome_is", ProcessOutcome(-9, b"", "it was killed by SIGKILL"))
    judging = Judging(Judgement, Path("run"), 3)
    answers = [judging.result() for _ in range(ATTEMPTS)]
    assert answers == [None] * (ATTEMPTS - 1) + [JudgingFailed("it was killed by SIGKILL")]
    assert Ended.starts == ATTEMPTS
