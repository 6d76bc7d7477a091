"""Growth is regressed on all doses together: what it follows is found, what it does not is given nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitors.detection.judge import judge
from monitors.detection.regression import attributed, regress
from monitors.detection.series import Floats, Series
from monitors.model import DoseRates, Finding, MetricSpec
from workloads.lengths import Lengths
from workloads.phases import Phases, Turns

HEAP = MetricSpec("host_heap_bytes", "bytes", "Live heap", layer="host_heap", judged=True)
KIB = 1024.0
KNOWN = (8, 12, 16, 24)
FEWEST_FRAMES = 600.0
"""A second."""


def planted(
    truth: Mapping[str, float], seed: int, seconds: int = 300, noise: float = 64 * KIB, memory: float = 0.5,
    vary: bool = True, paced: bool = True,
) -> Series:  # fmt: skip
    """A trial of a stream that soak would give, one sample a second.

    truth: growth for each unit of a dose, in bytes. memory: correlation of the noise of neighbours. paced: whether the
    stream is played in real time, so that frames and time have one ratio; else steps have.
    """
    lengths, turns = Lengths("set", KNOWN, 1, seed, 101, vary), Turns(4, Phases(seed, 9))
    count = 60 * seconds
    each = np.array([lengths.next(index)[0] for index in range(count)], dtype=np.float64)
    new = np.array([turns.due(index) for index in range(count)], dtype=np.float64)
    at = np.cumsum(each) / FEWEST_FRAMES if paced else np.arange(1, count + 1) / 50.0
    t = np.arange(0.0, seconds)
    done = np.searchsorted(at, t, side="right")
    doses = {"frames": np.append(0, np.cumsum(each))[done], "traces": np.append(0, np.cumsum(new))[done]}
    steps = done.astype(np.float64)
    counted: dict[str, Floats] = {"steps": steps, **doses, "hours": t / 3600}
    grown = sum((rate * counted[name] for name, rate in truth.items()), np.zeros(seconds))
    rest = np.random.default_rng(seed).normal(size=seconds)
    for place in range(1, seconds):
        rest[place] = memory * rest[place - 1] + np.sqrt(1 - memory**2) * rest[place]
    return Series(HEAP, "", t, 2e8 + grown + noise * rest, steps, 0, doses)


def busy(truth: str, seed: int, drawn: bool, idle: bool = False) -> Series:
    """Five minutes beside others: the pace drifts, a warm-up fades, and longer items need more memory meanwhile.

    truth: what 1 KiB a step, or as much by time, grows with. drawn: whether each length is drawn by itself, as in a
    program of anybody's; else as soak's sources vary them. idle: whether nothing is done in every other half minute.
    """
    chance, seconds, count = np.random.default_rng(seed), 285.0, 12_000
    lengths = Lengths("set", (4, 8, 16, 24, 48), 1, seed, 101, True)
    soaks = np.array([lengths.next(index)[0] for index in range(count)], dtype=np.float64)
    each = chance.integers(4, 64, count).astype(np.float64) if drawn else soaks
    wander = np.exp(0.5 * np.cumsum(chance.normal(size=count)) / np.sqrt(count) + 0.2 * chance.normal(size=count))
    at = np.cumsum((0.01 + 0.0005 * each) * wander) * (0.4 if idle else 1.0)
    at = at + 30.0 * np.floor(at / 30.0) if idle else at
    t = np.arange(0.0, min(seconds, at[-1]), 0.5)
    done = np.searchsorted(at, t, side="right")
    steps, frames = done.astype(np.float64), np.append(0, np.cumsum(each))[done]
    recent = np.convolve(each, np.full(50, 1 / 50))[np.minimum(done, count - 1)] / each.mean()
    by = {"steps": steps, "hours": t * steps[-1] / t[-1]}[truth]
    noise = 50 * KIB * chance.normal(size=len(t)) + 1e6 * (-np.expm1(-t / 60)) + (5e5 * recent if drawn else 0.0)
    whole = Series(HEAP, "", t, 2e8 + KIB * by + noise, steps, 0, {"frames": frames})
    return whole.part(slice(int(t.searchsorted(40.0)), None))


def leading(found: DoseRates) -> set[str]:
    """What growth follows, with all that cannot be told apart from it."""
    groups = [next((each for each in found.together if name in each), (name,)) for name in found.follows]
    return {name for group in groups for name in group}


@pytest.mark.parametrize("drawn", [True, False])
def test_growth_by_steps_is_not_given_to_time_as_the_pace_drifts(drawn: bool) -> None:
    """Seen: 1 KiB a step under a load of variable length was given to frames and to time."""
    right = 0
    for seed in range(30):
        found = regress(busy("steps", seed, drawn))
        assert found is not None
        assert "hours" not in found.follows, (seed, found)
        near = abs(found.rates["steps"].rate / KIB - 1) < 0.15
        right += near and len(found.follows) == 1 and "steps" in leading(found)
    assert right >= 27, "19 of 30 where a bend counts as a dose"


def test_growth_by_time_is_named_where_work_rests() -> None:
    for seed in range(10):
        found = regress(busy("hours", seed, drawn=True, idle=True))
        assert found is not None
        assert found.follows == ("hours",), (seed, found)


def shares(series: Series, found: DoseRates) -> dict[str, float]:
    """The growth that each dose is given, in bytes; of doses that rise together, once."""
    assert series.steps is not None
    taken: dict[str, Floats] = {"steps": series.steps, **series.doses, "hours": series.t / 3600}
    growth = {name: rate.rate * float(np.ptp(taken[name])) for name, rate in found.rates.items()}
    extra = {name for names in found.together for name in names[1:]}
    return {name: amount for name, amount in growth.items() if name not in extra}


seeds = st.integers(0, 2**31)
memories = st.sampled_from([0.0, 0.5, 0.9])


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["steps", "frames", "traces", "hours"]), seeds, memories, st.sampled_from([120, 300, 900]))
def test_the_one_dose_that_growth_follows_is_found(dose: str, seed: int, memory: float, seconds: int) -> None:
    truth = {"steps": 16 * KIB, "frames": KIB, "traces": 171 * KIB, "hours": 3600 * 600 * KIB}
    series = planted({dose: truth[dose]}, seed, seconds, memory=memory)
    found = regress(series)
    assert found is not None
    assert any({"frames", "hours"} <= set(each) for each in found.together), "frames in real time are a clock"
    # Steps may come as evenly as frames: then nobody can tell these apart either, and the first stands for all.
    names = next((each for each in found.together if dose in each), (dose,))
    assert found.follows == (names[0],)
    rate, (low, high) = found.rates[dose].rate, found.rates[dose].ci95
    # Two minutes of strongly correlated noise hold few independent samples, as the interval says: 5 % were 2.7 of its
    # halves.
    assert rate == pytest.approx(truth[dose], abs=max(0.05 * truth[dose], 1.5 * (high - low)))
    given = shares(series, found)
    assert sum(amount for name, amount in given.items() if name != names[0]) < 0.1 * sum(given.values())


@settings(max_examples=30, deadline=None)
@given(seeds, memories)
def test_two_doses_are_told_apart(seed: int, memory: float) -> None:
    found = regress(planted({"steps": 16 * KIB, "traces": 100 * KIB}, seed, memory=memory))
    assert found is not None
    assert set(found.follows) == {"steps", "traces"}
    assert found.rates["steps"].rate == pytest.approx(16 * KIB, rel=0.1)
    assert found.rates["traces"].rate == pytest.approx(100 * KIB, rel=0.1)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_doses_of_one_ratio_are_named_together_and_none_is_preferred(seed: int) -> None:
    """Lengths that are always the same: whatever grows with steps grows with frames, and with time where it is paced"""
    series = planted({"steps": 16 * KIB}, seed)
    assert series.steps is not None
    alike = Series(HEAP, "", series.t, series.values, series.steps, 0, {"frames": 16 * series.steps})
    found = regress(alike)
    assert found is not None
    assert found.together[0][:2] == ("steps", "frames")
    assert found.rates["steps"].rate == pytest.approx(16 * found.rates["frames"].rate)
    assert found.rates["steps"].rate == pytest.approx(16 * KIB, rel=0.1)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_doses_that_noise_hides_apart_are_not_told_apart(seed: int) -> None:
    """Lengths that are drawn evenly: steps and frames part by less than the noise shows."""
    found = regress(planted({"steps": KIB / 2}, seed, vary=False, noise=256 * KIB))
    assert found is not None
    assert len(found.follows) <= 1
    named = {name for names in found.together for name in names}
    assert {"steps", "frames"} <= named or not found.follows


@settings(max_examples=40, deadline=None)
@given(seeds, memories)
def test_where_nothing_grows_no_dose_is_given_more_than_noise(seed: int, memory: float) -> None:
    series = planted({}, seed, memory=memory)
    found = regress(series)
    assert found is not None
    assert sum(shares(series, found).values()) < 8 * 64 * KIB


def test_intervals_hold_the_truth() -> None:
    """Of 60 trials with correlated noise, nine in ten at least for intervals of 95 %."""
    inside = 0
    for seed in range(60):
        found = regress(planted({"steps": KIB, "traces": 20 * KIB}, seed, memory=0.9, noise=200 * KIB))
        assert found is not None
        low, high = found.rates["traces"].ci95
        inside += low <= 20 * KIB <= high
    assert inside >= 54


def test_what_came_all_at_once_is_no_dose() -> None:
    series = planted({"steps": 16 * KIB}, 3)
    filled = np.minimum(np.arange(300.0), 12.0)
    found = regress(Series(HEAP, "", series.t, series.values, series.steps, 0, {"distinct_shapes": filled}))
    assert found is not None
    assert "distinct_shapes" not in found.rates


@pytest.mark.parametrize("count", [0, 1, 5, 11])
def test_of_a_few_samples_nothing_is_said(count: int) -> None:
    assert regress(planted({"steps": 1.0}, 1).part(slice(0, count))) is None


def test_without_a_count_nothing_is_said() -> None:
    series = planted({"steps": 16 * KIB}, 1)
    assert regress(Series(HEAP, "", series.t, series.values)) is None


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-1e12, 1e12), min_size=12, max_size=60), seeds)
def test_any_series_has_finite_rates_that_take_nothing_away(values: list[float], seed: int) -> None:
    chance = np.random.default_rng(seed)
    n = len(values)
    steps = np.cumsum(chance.integers(0, 3, n)).astype(np.float64)
    doses = {f"d{k}": np.cumsum(chance.integers(0, 4, n)).astype(np.float64) for k in range(int(seed % 12))}
    found = regress(Series(HEAP, "", np.arange(float(n)), np.array(values), steps, 0, doses))
    for rate in found.rates.values() if found else ():
        assert 0 <= rate.ci95[0] <= rate.rate <= rate.ci95[1] < np.inf


def test_a_leak_that_is_judged_says_what_it_follows() -> None:
    detection = judge([planted({"traces": 171 * KIB}, 5)])
    (finding,) = detection.findings
    assert finding.verdict == "leak"
    assert finding.by_dose is not None
    assert finding.by_dose.follows == ("traces",)
    assert finding.by_dose.rates["traces"].rate == pytest.approx(171 * KIB, rel=0.02)
    assert finding.by_dose.rates["steps"].rate < 0.02 * 171 * KIB


def test_what_passes_follows_nothing() -> None:
    series = planted({}, 5)
    finding: Finding = judge([series]).findings[0]
    assert finding.verdict == "pass"
    assert finding.by_dose is None
    assert attributed(finding, series) is finding
