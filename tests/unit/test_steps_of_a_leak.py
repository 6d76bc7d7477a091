"""A count that is brought up to date now and then: its steps up are the growth, whatever trickles in between."""

from __future__ import annotations

import numpy as np
import pytest

from monitors.detection.judge import JudgeSettings, judge
from monitors.detection.series import Floats, Series
from monitors.model import Finding, MetricSpec

CHILDREN = MetricSpec("children", "count", "Simulated children", "children", judged=True)
T = np.arange(0.0, 180.0, 0.5)


def found(values: Floats) -> Finding:
    return judge([Series(CHILDREN, "", T, values, steps=1 + 50 * T)], JudgeSettings()).findings[0]


def seen(waits: tuple[float, float], trickle: float, seed: int) -> Floats:
    """One more a second, counted after waits of so many seconds; in between one is seen by chance now and then."""
    generator = np.random.default_rng(seed)
    counted, due, values = 0.0, waits[0], []
    for t in T:
        if t >= due:
            counted, due = np.floor(t), t + generator.uniform(*waits)
        elif generator.random() < trickle:
            counted = min(counted + 1, np.floor(t))
        values.append(counted)
    return np.array(values)


@pytest.mark.parametrize("seed", range(6))
def test_uneven_stairs_that_lie_on_a_line_are_growth_at_its_rate(seed: int) -> None:
    finding = found(seen((20, 40), 0.0, seed))
    assert finding.verdict == "leak"
    assert finding.rate_per_hour == pytest.approx(3600, rel=0.25)
    low, high = finding.rate_per_hour_ci95 or (0.0, 0.0)
    assert low < 3600 < high


def recorded() -> Floats:
    """As zombies of a soaked program were counted; from 0 to 166 in 164 s."""
    times = (8.5, 24.0, 28.5, 33.5, 41.5, 43.5, 44.5, 58.5, 66.5, 79.5, 82.5, 113.0, 141.5, 164.5)
    counts = (1, 25, 26, 27, 28, 45, 46, 47, 48, 49, 84, 114, 115, 166)
    return np.array((0, *counts), dtype=np.float64)[np.searchsorted(times, T, side="right")]


def test_a_trickle_between_large_steps_is_not_all_that_grows() -> None:
    """The steps were taken out as jumps that stand alone, and the trickle was told as the rate: 611 an hour."""
    finding = found(recorded())
    assert finding.verdict == "leak"
    assert finding.rate_per_hour == pytest.approx(3600, rel=0.25)
    low, high = finding.rate_per_hour_ci95 or (0.0, 0.0)
    assert 0 < low < 3600 < high


@pytest.mark.parametrize("seed", [2, 3])
def test_steps_beside_a_leak_count_where_they_are_more_than_the_rest(seed: int) -> None:
    finding = found(seen((15, 45), 0.04, seed))
    assert finding.verdict == "leak"
    assert finding.rate_per_hour == pytest.approx(3600, rel=0.3)


def test_a_single_large_step_beside_a_leak_is_named_and_not_counted() -> None:
    generator = np.random.default_rng(1)
    finding = found(np.round(T / 4 + 200 * (T > 80) + generator.normal(0, 0.4, len(T))))
    assert finding.verdict == "leak"
    assert finding.rate_per_hour == pytest.approx(900, rel=0.05)
    assert ", not counting a jump of 200" in finding.reason


@pytest.mark.parametrize("phases", [3, 4])
def test_load_that_is_raised_in_a_few_equal_phases_is_no_leak(phases: int) -> None:
    assert found(60 * np.floor(T / 180 * phases) + (T > 3) * 60).verdict != "leak"
