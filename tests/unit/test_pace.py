"""Growth that follows steps is judged by steps where the pace of a trial changes; all else by time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from monitors.catalog import all_specs
from monitors.detection.floors import even
from monitors.detection.judge import judge
from monitors.detection.pace import paced
from monitors.detection.series import Series
from monitors.model import Finding

RESIDENT = all_specs()["floor_anonymous_bytes"]
COUNT, SECONDS = 15, 150.0


def busy(rng: Any, slow: float = 16.0, fast: float = 22.0) -> tuple[Any, Any]:
    """Times of probes, and steps of a machine that has ever less else to do."""
    t = 20.0 + np.linspace(0.0, SECONDS - 20.0, COUNT) + rng.uniform(-2.0, 2.0, COUNT)
    at = np.linspace(0.0, SECONDS, 1001)
    pace = np.interp(at, [0.0, 60.0, 90.0, SECONDS], [slow, slow, fast, fast])
    steps = np.concatenate([[0.0], np.cumsum((pace[1:] + pace[:-1]) / 2 * np.diff(at))])
    return t, np.round(np.interp(t, at, steps))


def floors(t: Any, steps: Any, values: Any) -> Series:
    return even(Series(RESIDENT, "", t, np.round(values / 4096) * 4096, steps))


def found(series: Series) -> Finding:
    (finding,) = judge([series]).findings
    return finding


def test_a_leak_by_steps_has_its_rate_on_a_machine_whose_pace_changes() -> None:
    errors, by_time = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        t, steps = busy(rng)
        series = floors(t, steps, 2e8 + 5000.0 * steps + rng.normal(0.0, 30_000.0, COUNT))
        finding = found(series)
        assert finding.verdict == "leak"
        assert finding.rate_per_step is not None
        errors.append(abs(finding.rate_per_step / 5000.0 - 1))
        hourly = 5000.0 * 3600 * (steps[-1] - steps[0]) / (t[-1] - t[0])
        by_time.append(abs((finding.rate_per_hour or 0.0) / hourly - 1))
    assert np.median(errors) < 0.02
    assert max(errors) < 0.1
    assert np.median(by_time) < 0.02, "an hour is one at the mean pace"


def test_a_leak_by_time_stays_one_by_time() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        t, steps = busy(rng)
        series = floors(t, steps, 2e8 + 1e5 * t + rng.normal(0.0, 10_000.0, COUNT))
        assert paced(series).series is series
        assert (found(series).rate_per_hour or 0.0) == pytest.approx(3.6e8, rel=0.1)


def test_an_even_pace_a_restart_and_what_has_no_steps_change_nothing() -> None:
    t = np.linspace(20.0, SECONDS, COUNT)
    grown = 2e8 + 1e5 * t
    again = np.concatenate([20.0 * t[:8], 20.0 * (t[8:] - t[7])])
    for steps in (20.0 * t, again, None, np.full(COUNT, 7.0)):
        series = Series(RESIDENT, "", t, grown, steps)
        assert paced(series).series is series
    short = Series(RESIDENT, "", t[:2], grown[:2], t[:2])
    assert paced(short).series is short


@pytest.mark.parametrize(
    "course",
    [
        lambda share: np.zeros_like(share),
        lambda share: 2e7 * (1 - np.exp(-share / 0.15)),
        lambda share: 2e7 * share / (share + 0.2),
        lambda share: 2e7 * np.minimum(share / 0.5, 1.0),
        lambda share: 4e6 * (share > 0.4),
    ],
    ids=["flat", "warm-up", "cache", "fills", "step"],
)
@pytest.mark.parametrize("paces", [(16.0, 22.0), (22.0, 16.0), (8.0, 24.0)])
def test_what_is_bounded_is_no_leak_at_any_pace(course: Callable[[Any], Any], paces: tuple[float, float]) -> None:
    alarms = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        t, steps = busy(rng, *paces)
        values = 2e8 + course(steps / steps[-1]) + rng.normal(0.0, 20_000.0, COUNT)
        alarms += found(floors(t, steps, values)).verdict == "leak"
    assert alarms == 0


def test_times_of_a_finding_are_those_of_the_trial() -> None:
    t, steps = busy(np.random.default_rng(0))
    series = floors(t, steps, 2e8 + 5000.0 * steps)
    by_steps = paced(series)
    assert by_steps.series is not series
    assert by_steps.series.t[0] == series.t[0]
    assert by_steps.series.t[-1] == series.t[-1]
    finding = replace(found(series), judged_from=float(by_steps.clock[7]), onset=None)
    assert by_steps.placed(finding).judged_from == pytest.approx(series.t[7])
    assert by_steps.placed(finding).onset is None
