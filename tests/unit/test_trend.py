"""The detector, on series whose truth was planted: it says leak, and how fast, or says why not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitors.detection.detectors.trend import Trend
from monitors.detection.judge import JudgeSettings
from monitors.detection.series import Floats, Series
from monitors.detection.simulation import BENIGN, LEAKS, MEMORY, bytes_of, draw
from monitors.model import Finding, MetricSpec

T = np.arange(0.0, 60, 0.25)
MIB = 2.0**20


def judge(series: Series, settings: JudgeSettings | None = None) -> Finding:
    return Trend().judge(series, settings or JudgeSettings())


def memory(values: Floats, t: Floats = T) -> Series:
    return Series(MEMORY, "", t, np.round(values / 4096) * 4096, steps=50 * t)


def noise(seed: int = 0, size: float = 0.1 * MIB) -> Floats:
    return 300 * MIB + np.random.default_rng(seed).normal(0, size, len(T))


ANY = JudgeSettings(min_rate_bytes_per_hour=0.0, least_growth_bytes=0.0, least_growth_share=0.0)


@pytest.mark.parametrize("seed", [1, 7])
def test_steady_growth_is_no_cache_that_fills(seed: int) -> None:
    """Two columns of a cache can together be a line: they were believed until they had to fade."""
    hour = np.arange(0.0, 3600, 2.0)
    assert judge(bytes_of(draw("with fragmentation", "white", hour, 12.0, seed)), ANY).verdict == "leak"


@pytest.mark.parametrize(("family", "noise", "growth", "seed"), [
    ("under phases", "coarse", 40.0, 1004),
    ("with a step", "AR 0.6", 6.0, 1002),
])  # fmt: skip
def test_growth_beside_steps_is_no_cache_that_fills(family: str, noise: str, growth: float, seed: int) -> None:
    """A decay beside a step, and every shape beside a jump, was believed without being asked to fade."""
    hour = np.arange(0.0, 3600, 2.0)
    assert judge(bytes_of(draw(family, noise, hour, growth, seed)), ANY).verdict == "leak"


@pytest.mark.parametrize(("first", "seed"), [(0.0556, 1), (0.0556, 22), (0.045, 24)])
def test_steps_of_many_epochs_after_a_warm_up_are_no_jumps_that_stand_alone(first: float, seed: int) -> None:
    """Nine steps were too many for a staircase, six of them were taken out as jumps, and the rest was flat."""
    t, generator = np.arange(0.0, 1200, 2.0), np.random.default_rng(seed)
    pages = 4096 * (generator.random(600) < 0.4) * generator.integers(1, 21, 600)
    places = (np.arange(9) + 9 * first + generator.normal(0, 0.03, 9)) / 9 * 1200
    epochs = 30 * MIB * (t[:, None] > places).sum(axis=1)
    found = judge(replace(memory(300 * MIB + 60 * MIB * -np.expm1(-t / 3) + epochs + pages, t), steps=None), ANY)
    assert found.verdict == "leak"
    assert found.rate_per_hour == pytest.approx(810 * MIB, rel=0.1)


@pytest.mark.parametrize("family", list(LEAKS))
@pytest.mark.parametrize("seed", [1, 2])
def test_every_family_of_leaks_is_found(family: str, seed: int) -> None:
    found = judge(bytes_of(draw(family, "white", T, 60.0, seed)), ANY)
    assert found.verdict == "leak"
    assert found.leak_probability is not None
    assert found.leak_probability > 0.8


def test_lookalikes_are_hardly_ever_called_leaks() -> None:
    called = [
        (family, seed)
        for family in BENIGN
        for seed in range(4)
        if judge(bytes_of(draw(family, "white", T, 0.0, seed)), ANY).verdict == "leak"
    ]
    assert len(called) <= 2, called


def test_rate_interval_and_steps_are_those_that_were_planted() -> None:
    found = judge(memory(noise() + 0.5 * MIB * T))
    assert found.rate_per_hour == pytest.approx(1800 * MIB, rel=0.02)
    assert found.rate_per_hour_ci95 is not None
    assert found.rate_per_hour_ci95[0] < 1800 * MIB < found.rate_per_hour_ci95[1]
    assert found.rate_per_step == pytest.approx(0.01 * MIB, rel=0.02)
    assert found.rate_per_step_ci95 is not None
    assert found.rate_per_step_ci95[0] < 0.01 * MIB < found.rate_per_step_ci95[1]
    assert found.growth == pytest.approx(0.5 * MIB * (60 - (found.judged_from or 0)), rel=0.05)
    assert found.reason.startswith("sustained growth of 1.76 GiB/h (")
    assert found.reason.startswith("sustained growth of ")


def test_late_growth_is_dated_and_rated_after_its_onset() -> None:
    found = judge(memory(noise() + 2 * MIB * np.maximum(T - 28, 0)))
    assert (found.verdict, found.shape) == ("leak", "late onset")
    assert found.onset == pytest.approx(28, abs=4)
    assert found.rate_per_hour == pytest.approx(7200 * MIB, rel=0.1)
    assert "since 2" in found.reason or "since 3" in found.reason


def test_a_step_is_named_with_size_and_time() -> None:
    found = judge(memory(noise() + 32 * MIB * (T > 24)))
    assert (found.verdict, found.shape) == ("pass", "step")
    assert "one jump of 32" in found.reason or "one jump of 31.9" in found.reason
    assert "at 24 s" in found.reason or "at 23 s" in found.reason


def test_warm_up_is_left_out() -> None:
    warm = 40 * MIB * (1 - np.exp(-T / 3))
    calm, leaky = judge(memory(noise() + warm)), judge(memory(noise() + warm + 0.5 * MIB * T))
    assert calm.verdict == "pass"
    assert leaky.verdict == "leak"
    assert leaky.rate_per_hour == pytest.approx(1800 * MIB, rel=0.1)


def test_a_flat_series_passes_and_says_what_it_would_have_seen() -> None:
    found = judge(memory(np.full(len(T), 300 * MIB)))
    assert (found.verdict, found.shape) == ("pass", "flat")
    limit = found.minimum_detectable_rate_per_hour
    assert limit is not None
    assert judge(memory(300 * MIB + 1.1 * limit / 3600 * T)).verdict == "leak"
    assert judge(memory(300 * MIB + 0.3 * limit / 3600 * T)).verdict == "pass"


def test_a_warm_up_in_one_leap_does_not_blur_what_follows() -> None:
    flat = np.full(len(T), 300 * MIB)
    leap = np.where(T < 0.2, 50 * MIB, flat)
    limits = [judge(memory(values)).minimum_detectable_rate_per_hour for values in (flat, leap)]
    assert None not in limits
    assert limits[1] == pytest.approx(limits[0], rel=0.1)


@pytest.mark.parametrize("seed", range(4))
def test_the_smallest_leak_said_to_be_seen_is_seen(seed: int) -> None:
    limit = judge(memory(noise(seed))).minimum_detectable_rate_per_hour
    assert limit is not None
    assert judge(memory(noise(seed + 100) + 1.3 * limit / 3600 * T)).verdict == "leak"


def test_slower_than_what_counts_is_no_leak() -> None:
    series = memory(noise() + 0.5 * MIB * T)
    assert judge(series, JudgeSettings(min_rate_bytes_per_hour=2000 * MIB)).verdict == "pass"
    assert judge(series, JudgeSettings(min_rate_bytes_per_hour=1000 * MIB)).verdict == "leak"


def stairs(*times: float) -> Floats:
    return 300 * MIB + np.asarray(sum(2 * MIB * (at < T) for at in times))


@pytest.mark.parametrize("times", [(14.0, 21.0, 41.0, 45.0), (4.0, 7.0, 12.0, 33.0), (3.0, 9.0, 15.0, 21.0)])
def test_an_allocator_that_creeps_in_few_steps_is_no_leak(times: tuple[float, ...]) -> None:
    found = judge(memory(stairs(*times)))
    assert found.verdict == "pass"
    assert "in a few jumps, flat otherwise" in found.reason


def test_a_few_steps_that_are_evenly_spaced_cannot_be_told() -> None:
    assert judge(memory(stairs(14.0, 26.0, 41.0, 52.0))).verdict == "inconclusive"


@pytest.mark.parametrize("count", [6, 7, 8, 9])
def test_steps_that_recur_are_a_leak_at_their_mean_pace(count: int) -> None:
    times = (np.arange(count) + 0.5) * T[-1] / count
    found = judge(memory(stairs(*times.tolist())))
    assert found.verdict == "leak"
    low, high = found.rate_per_hour_ci95 or (0.0, 0.0)
    assert low < 2 * MIB * count * 3600 / T[-1] < high


@pytest.mark.parametrize("per_second", [0.5, 1.0, 2.0])
def test_leaking_descriptors_are_counted(per_second: float) -> None:
    spec = MetricSpec("fds", "count", "Open descriptors", "fds", judged=True)
    found = judge(Series(spec, "", T, 20 + np.floor(per_second * T), steps=50 * T))
    assert found.verdict == "leak"
    assert found.rate_per_hour == pytest.approx(3600 * per_second, rel=0.06)
    assert judge(Series(spec, "", T, np.full(len(T), 20.0))).verdict == "pass"


def test_python_objects_that_swing_with_the_collector_pass() -> None:
    spec = MetricSpec("python_objects", "count", "Python objects", "python_objects", judged=True)
    t = np.arange(0.0, 90, 1)
    swing = 280_000 + 700 * (t % 7)
    assert judge(Series(spec, "", t, swing)).verdict == "pass"
    assert judge(Series(spec, "", t, swing + 500 * t)).verdict == "leak"


def test_too_short_is_said_with_what_would_do() -> None:
    found = judge(memory(noise()[:12], T[:12]))
    assert (found.verdict, found.leak_probability) == ("inconclusive", None)
    assert found.minimum_detectable_rate_per_hour is None
    assert found.reason == "too few samples since the first step to judge: 11; needed: 20 samples over 8 s"


SECONDS = np.arange(0.0, 80.0, 0.2)
IMPORTS = 220 * MIB * -np.expm1(-SECONDS / 2)
"""What a start-up looks like: hundreds of MiB in a few seconds, ever slower."""


@pytest.mark.parametrize("growth", [IMPORTS, 60 * MIB * SECONDS])
@pytest.mark.parametrize("seconds", [1, 2, 4, 6, 9, 15, 25, 29])
def test_a_trace_of_seconds_is_not_told_from_a_start_up(growth: Floats, seconds: float) -> None:
    seen = seconds > SECONDS
    found = judge(Series(MEMORY, "", SECONDS[seen], 10 * MIB + growth[seen]))
    assert found.verdict == "inconclusive"
    assert found.leak_probability is None
    assert found.reason.endswith("needed: 20 samples over 30 s")


def test_a_trial_without_a_step_is_all_start_up() -> None:
    found = judge(Series(MEMORY, "", SECONDS, 10 * MIB + 60 * MIB * SECONDS, steps=np.zeros(len(SECONDS))))
    assert (found.verdict, found.reason) == ("inconclusive", "no step was recorded: all of it is start-up")


@pytest.mark.parametrize("worked", [0.5, 2.0, 5.0, 7.5])
def test_what_goes_on_right_after_the_first_step_is_no_leak_yet(worked: float) -> None:
    """Allocators fill in the first seconds of steps as well, and a straight line through them is no steady state."""
    seen = 8 + worked > SECONDS
    memory_ = 10 * MIB + IMPORTS + 5 * MIB * np.maximum(SECONDS - 8, 0)
    found = judge(Series(MEMORY, "", SECONDS[seen], memory_[seen], steps=50 * np.maximum(SECONDS[seen] - 8, 0)))
    assert found.verdict == "inconclusive"
    assert "since the first step " in found.reason


def test_a_fast_leak_is_found_soon_after_the_start_up() -> None:
    seen = SECONDS < 20
    memory_ = 10 * MIB + IMPORTS + 5 * MIB * np.maximum(SECONDS - 8, 0)
    found = judge(Series(MEMORY, "", SECONDS[seen], memory_[seen], steps=50 * np.maximum(SECONDS[seen] - 8, 0)))
    assert found.verdict == "leak"
    assert judge(Series(MEMORY, "", SECONDS, 300 * MIB + 5 * MIB * SECONDS)).verdict == "leak"


def test_few_samples_a_minute_are_judged_as_before() -> None:
    """The floor is in seconds: what is sampled rarely lasts for long."""
    minutes = np.arange(20) * 60.0
    assert judge(Series(MEMORY, "", minutes, np.round(3e8 + 2e5 * minutes))).verdict == "leak"


def test_samples_that_leave_a_hole_are_not_judged() -> None:
    t = np.concatenate((np.arange(20) * 0.01, np.arange(20) * 0.01 + 60))
    found = judge(Series(MEMORY, "", t, 3e8 + 1e6 * t))
    assert (found.verdict, found.leak_probability) == ("inconclusive", None)
    assert "not sampled" in found.reason


def test_what_comes_before_the_first_step_is_no_steps_doing() -> None:
    imports = np.where(T < 20, 10 * MIB * T, 200 * MIB)
    steps = np.maximum(T - 20, 0) * 50
    found = judge(replace(memory(imports + noise()), steps=steps))
    assert found.verdict == "pass"


def test_the_same_series_is_judged_the_same() -> None:
    series = memory(noise() + 0.02 * MIB * T)
    assert judge(series) == judge(series)


def test_unit_of_time_and_memory_do_not_matter() -> None:
    """A day at one sample in six minutes shows what a minute at 4 Hz shows, if the growth is the same."""
    day = T / 60 * 86400
    found = judge(memory(noise() + 30 * MIB * T / 60, day), JudgeSettings(min_rate_bytes_per_hour=1000))
    assert found.verdict == "leak"
    assert found.rate_per_hour == pytest.approx(30 * MIB / 24, rel=0.03)
