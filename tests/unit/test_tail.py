"""After growth that ended: how slow a leak its settled part would have shown, and leaks that begin or show in it."""

from __future__ import annotations

import numpy as np
import pytest

from monitors.detection.detectors.trend import Trend
from monitors.detection.judge import JudgeSettings, judge
from monitors.detection.series import Floats, Series
from monitors.detection.simulation import MEMORY
from monitors.detection.tail import after_its_growth
from monitors.detection.weighed import weighed

MIB = 2.0**20
SETTINGS = JudgeSettings()
T = np.linspace(0.0, 180.0, 350)
X = T / 180
COURSES = {
    "ramp": np.minimum(X / 0.4, 1.0),
    "bent ramp": np.minimum(X / 0.4, 1.0) ** 0.5,
    "cache that fills": -np.expm1(-X * 12),
    "stairs": np.minimum(np.floor(X / 0.4 * 7), 7) / 7,
}


def memory(course: Floats, seed: int, leak: float = 0.0) -> Series:
    """120 MiB of that course, noise of 0.2 MiB, and from half of the trial on a leak of so many bytes an hour."""
    noise = 0.2 * np.random.default_rng(seed).normal(size=len(T))
    values = MIB * (200 + 120 * course + noise) + leak / 3600 * np.maximum(T - 90, 0)
    return Series(MEMORY, "", T, np.round(values / 4096) * 4096, steps=1 + 50 * T)


def tail(series: Series) -> Series | None:
    whole = weighed(series, SETTINGS)
    assert whole is not None
    return after_its_growth(whole)


@pytest.mark.parametrize("course", list(COURSES))
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_settled_part_tells_of_slower_leaks_than_a_trial_with_its_ramp(course: str, seed: int) -> None:
    whole = Trend().judge_whole(memory(COURSES[course], seed), SETTINGS)
    told = Trend().judge(memory(COURSES[course], seed), SETTINGS)
    assert (whole.verdict, told.verdict) == ("pass", "pass")
    assert whole.minimum_detectable_rate_per_hour is not None
    assert told.minimum_detectable_rate_per_hour is not None
    assert told.minimum_detectable_rate_per_hour < 0.6 * whole.minimum_detectable_rate_per_hour
    assert "after faster growth that ended" in told.reason


@pytest.mark.parametrize("course", list(COURSES))
def test_leaks_of_the_rate_that_is_told_are_found_in_fresh_noise(course: str) -> None:
    found = 0
    for seed in range(10):
        least = Trend().judge(memory(COURSES[course], seed), SETTINGS).minimum_detectable_rate_per_hour
        assert least is not None
        found += judge([memory(COURSES[course], 100 + seed, leak=least)], SETTINGS).verdict == "leak"
    assert found >= 9


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_leak_that_the_ramp_drowned_is_found_with_its_rate(seed: int) -> None:
    leaking = memory(COURSES["bent ramp"], seed, leak=250 * MIB)
    assert Trend().judge_whole(leaking, SETTINGS).verdict == "pass"
    found = Trend().judge(leaking, SETTINGS)
    assert found.verdict == "leak"
    assert found.rate_per_hour == pytest.approx(250 * MIB, rel=0.15)
    assert found.judged_from is not None
    assert found.judged_from >= 70


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("course", [np.log1p(X / 0.003) / np.log1p(1 / 0.003), X / (X + 0.05)], ids=["log", "1/t"])
def test_growth_that_fades_for_ever_has_not_ended(course: Floats, seed: int) -> None:
    """With its begin cut off it looks like a line."""
    assert tail(memory(course, seed)) is None
    assert Trend().judge(memory(course, seed), SETTINGS).verdict == "pass"


@pytest.mark.parametrize(
    "course", [X, np.zeros_like(X), -X, np.sin(9 * X), X**2], ids=["line", "flat", "fall", "swing", "bend"]
)
def test_what_did_not_grow_and_end_has_no_tail(course: Floats) -> None:
    assert tail(memory(course, 0)) is None


def test_a_dip_of_what_is_settled_is_no_growth() -> None:
    """Of 120 MiB, 2.4 MiB are given back for a while: as a recorded profiler's table was."""
    dip = 2.4 / 120 * ((X > 0.77) & (X < 0.89))
    assert Trend().judge(memory(COURSES["ramp"] - dip, 0), SETTINGS).verdict == "pass"


def test_a_settled_part_of_a_few_samples_is_not_judged_by_itself() -> None:
    few = memory(COURSES["bent ramp"], 0)
    few = Series(MEMORY, "", few.t[::10], few.values[::10], steps=1 + 50 * few.t[::10])
    assert Trend().judge(few, SETTINGS) == Trend().judge_whole(few, SETTINGS)
