"""Whatever a series holds, it is judged, and what is said of it is consistent."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from monitors.detection.detectors.trend import Trend
from monitors.detection.judge import JudgeSettings, judge
from monitors.detection.series import Series
from monitors.detection.simulation import BENIGN, LEAKS, MEMORY, NOISES, bytes_of, draw


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 90).flatmap(
        lambda n: st.tuples(
            arrays(np.float64, n, elements=st.floats(0, 1e12)),
            arrays(np.float64, n, elements=st.floats(0.01, 100)),
        )
    )
)
def test_any_series_is_judged_and_consistently(given_: tuple[np.ndarray, np.ndarray]) -> None:
    values, waits = given_
    found = Trend().judge(Series(MEMORY, "", np.cumsum(waits), values), JudgeSettings())
    assert found.samples == len(values)
    probability, interval = found.leak_probability, found.rate_per_hour_ci95
    assert found.verdict != "leak" or (probability is not None and probability > 0.5)
    assert found.verdict != "pass" or found.minimum_detectable_rate_per_hour is not None
    if found.verdict == "leak":
        assert found.minimum_detectable_rate_per_hour is not None
        assert found.rate_per_hour is not None
        assert found.rate_per_hour >= found.minimum_detectable_rate_per_hour
    if interval is not None and found.rate_per_hour is not None:
        assert interval[0] <= found.rate_per_hour <= interval[1]
        assert all(map(math.isfinite, (*interval, found.rate_per_hour)))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 20))
def test_scale_does_not_change_the_verdict(seed: int, scale: float) -> None:
    """What is measured in larger pages grows as visibly, once the least growth that counts is scaled along."""
    t = np.arange(200.0)
    values = 1e9 + 1e6 * np.random.default_rng(seed).normal(size=200) + 1e5 * t
    settings_ = [
        JudgeSettings(min_rate_bytes_per_hour=1e6 * s, least_growth_bytes=1e6 * s, least_growth_share=0.0)
        for s in (1.0, scale)
    ]
    one, two = (
        Trend().judge(Series(MEMORY, "", t, values * s), one_settings)
        for s, one_settings in zip((1.0, scale), settings_, strict=True)
    )
    assert one.verdict == two.verdict


ANY = JudgeSettings(min_rate_bytes_per_hour=0.0, least_growth_bytes=0.0, least_growth_share=0.0)
FAMILIES = st.one_of(st.sampled_from(list(LEAKS)), st.sampled_from(list(BENIGN)))


@settings(max_examples=60, deadline=None)
@given(FAMILIES, st.sampled_from(list(NOISES)), st.sampled_from((60, 300, 1800)), st.floats(1.0, 40.0),
       st.integers(0, 10_000))  # fmt: skip
def test_no_leak_is_slower_than_what_could_have_been_seen(
    family: str, noise: str, samples: int, growth: float, seed: int
) -> None:
    told = judge([bytes_of(draw(family, noise, np.arange(float(samples)), growth, seed))], ANY)
    for found in told.findings:
        if found.verdict == "leak":
            assert found.rate_per_hour is not None
            assert found.minimum_detectable_rate_per_hour is not None
            assert 0 < found.minimum_detectable_rate_per_hour <= found.rate_per_hour
    if told.verdict == "leak":
        assert told.rate_per_hour is not None
        assert told.minimum_detectable_rate_per_hour is not None
        assert told.minimum_detectable_rate_per_hour <= told.rate_per_hour


@settings(max_examples=60, deadline=None)
@given(FAMILIES, st.integers(20, 200), st.floats(1.0, 60.0), st.integers(0, 10_000), st.booleans())
def test_what_lasts_for_seconds_is_never_a_leak(
    family: str, samples: int, growth: float, seed: int, stepped: bool
) -> None:
    """Whatever it does: it may be a start-up."""
    seconds = ANY.min_seconds if stepped else ANY.min_seconds_without_steps
    t = np.linspace(0.0, 0.99 * seconds, samples)
    series = bytes_of(draw(family, "white", t, growth, seed))
    told = judge([replace(series, steps=1 + 50 * t) if stepped else series], ANY)
    assert (told.verdict, told.leak_probability) == ("inconclusive", None)


@settings(max_examples=60, deadline=None)
@given(FAMILIES, st.floats(0.05, 0.9), st.floats(1.0, 40.0), st.integers(0, 10_000))
def test_what_is_lost_before_the_end_never_passes(family: str, share: float, growth: float, seed: int) -> None:
    t = np.arange(300.0)
    lost = bytes_of(draw(family, "white", t, growth, seed)).until(300 / share)
    (found,) = judge([lost], ANY).findings
    assert found.verdict != "pass"
    assert found.unseen_seconds >= 300 / share - 300
