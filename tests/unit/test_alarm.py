"""The alarm: raised by a leak and late onset, not by what settles, and bounded in what it holds."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from monitors.alarm_schedule import FIRST, alarm_schedule
from monitors.detection.alarm import Alarm
from monitors.detection.judge import JudgeSettings
from monitors.detection.simulation import MEMORY, bytes_of, draw

T = np.arange(0.0, 3601, 5.0)
ANY = JudgeSettings(min_rate_bytes_per_hour=0.0, least_growth_bytes=0.0, least_growth_share=0.0)


@cache
def watched(family: str, growth: float, seed: int = 0) -> Alarm:
    series = bytes_of(draw(family, "white", T, growth, seed))
    alarm = Alarm(MEMORY, 3600.0, settings=ANY)
    alarm.extend(series.t, series.values)
    return alarm


def test_looks_grow_by_a_factor_and_end_with_the_trial() -> None:
    shares = np.array(alarm_schedule())
    assert shares[0] == pytest.approx(FIRST)
    assert shares[-1] == 1
    assert np.ptp(shares[1:] / shares[:-1]) < 1e-9


def test_a_leak_raises_it_early() -> None:
    raised = watched("linear", 40.0).raised
    assert raised is not None
    assert raised.t < 0.4 * 3600


def test_a_late_leak_is_caught() -> None:
    raised = watched("late onset", 40.0).raised
    assert raised is not None


SETTLES = "flat", "warm-up", "cache, hyperbola", "one step", "wave", "sawtooth", "spikes", "phases"


@pytest.mark.parametrize("family", SETTLES)
def test_what_settles_does_not(family: str) -> None:
    assert watched(family, 0.0).raised is None


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("family", ["slow warm-up", "cache, entries", "cache, logarithm"])
def test_what_fills_slowly_does_not(family: str, seed: int) -> None:
    assert watched(family, 0.0, seed).raised is None


@pytest.mark.parametrize("family", ["linear", "late onset", "after a warm-up"])
@pytest.mark.parametrize("growth", [12.0, 40.0])
def test_growth_does_also_where_it_is_slow(family: str, growth: float) -> None:
    alarm = watched(family, growth)
    assert alarm.raised is not None
    assert alarm.raised.finding.verdict == "leak"


def test_a_calm_trial_is_certified() -> None:
    last = watched("flat", 0.0).last
    assert last is not None
    assert last.rate_below is not None
    assert last.rate_below < 2 * 2**20, "two deviations an hour"


def test_one_by_one_is_as_good_as_at_once_and_bounded() -> None:
    series = bytes_of(draw("linear", "white", T, 40.0, 0))
    alarm = Alarm(MEMORY, 3600.0, settings=ANY)
    seen = [look for t, v in zip(series.t, series.values, strict=True) if (look := alarm.add(t, v))]
    at_once = watched("linear", 40.0)
    assert len(seen) == len(alarm_schedule())
    assert alarm.raised is not None
    assert at_once.raised is not None
    assert alarm.raised.t == at_once.raised.t
