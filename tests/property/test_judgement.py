"""Whatever a series holds, it is judged, and what is said of it is consistent."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from monitors.detection import JudgeSettings
from monitors.detectors.trend import Trend
from monitors.series import Series
from monitors.simulation import MEMORY


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
