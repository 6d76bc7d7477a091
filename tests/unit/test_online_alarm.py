"""When the supervisor looks, and that it takes three looks to raise an alarm."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from monitors.judgement import InterimJudgement, Judgement
from monitors.model import Finding
from soak.engine import alarm as watch
from soak.engine.alarm import OnlineAlarm

FINDINGS = tuple(
    Finding("trend", name, None, "count", "leak", 0.9, True, 1.0, None, None, None, "linear", "grows", 60, 0)
    for name in ("fds", "heap")
)


class Look:
    """A look whose result is known beforehand."""

    results: ClassVar[list[list[str]]] = []
    asked: ClassVar[list[tuple[Any, ...]]] = []

    def __init__(self, *asked: Any) -> None:
        Look.asked.append(asked)

    def result(self) -> InterimJudgement:
        return InterimJudgement(Judgement("leak", "grows", findings=FINDINGS), tuple(Look.results.pop(0)))

    def kill(self) -> None:
        """Nothing runs."""


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> OnlineAlarm:
    monkeypatch.setattr(watch, "Judging", Look)
    Look.results, Look.asked = [], []
    return OnlineAlarm(Path("run"), 3, 0.05)


def look(watched: OnlineAlarm, elapsed: float, share: float) -> list[str]:
    assert watched.poll(elapsed, share) == []
    return watched.poll(elapsed, share)


def test_it_takes_three_looks_running_and_is_told_once(watched: OnlineAlarm) -> None:
    Look.results = [["heap"], ["heap", "fds"], ["heap", "fds"], ["heap", "fds"]]
    assert look(watched, 1000, 0.26) == []
    assert look(watched, 1200, 0.31) == []
    assert look(watched, 1400, 0.36) == ["heap: grows"]
    assert look(watched, 1600, 0.41) == ["fds: grows"]
    assert watched.raised == {"heap", "fds"}


def test_evidence_that_comes_and_goes_raises_nothing(watched: OnlineAlarm) -> None:
    Look.results = [["heap"], ["heap"], [], ["heap"], ["heap"]]
    assert not any(look(watched, 1000 + 200 * k, 0.26 + 0.06 * k) for k in range(5))


def test_it_does_not_look_early_nor_often(watched: OnlineAlarm) -> None:
    assert watched.poll(1000, 0.2) == []
    assert watched.poll(30, 0.9) == [], "a trial of seconds is judged at its end"
    assert watched.poll(1000, None) == [], "how long it will be is not known yet"
    assert Look.asked == []
    Look.results = [[]]
    look(watched, 1000, 0.3)
    watched.poll(1030, 0.5)
    assert len(Look.asked) == 1


def test_no_alarm_is_asked_for_with_alpha_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "Judging", Look)
    Look.asked = []
    assert OnlineAlarm(Path("run"), 0, 0.0).poll(1e6, 0.9) == []
    assert Look.asked == []
