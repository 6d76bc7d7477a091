"""A plateau is a plateau, wherever its end is cut; and what is given back is no growth that lasts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitors.detection.judge import JudgeSettings, judge
from monitors.detection.series import Floats, Series
from monitors.detection.simulation import MEMORY, NOISES
from soak.traces import tables
from soak.traces.judging import settings_of

TRACES = Path(__file__).parent.parent / "fixtures/traces"
MIB = 2.0**20
N = 350
X = np.linspace(0.0, 1.0, N)


def verdict(values: Floats, samples: int = N) -> str:
    t, pages = 180 * X[:samples], np.round(values[:samples] / 4096) * 4096
    return judge([Series(MEMORY, "", t, pages, steps=1 + 50 * t)], JudgeSettings(0.0)).verdict


def settled(kind: str, until: float, seed: int) -> Floats:
    """Rises by 1 up to that share of the trial, and stays."""
    if kind == "ramp":
        return np.minimum(X / until, 1.0)
    if kind == "decay":
        return -np.expm1(-4 * X / until)
    generator = np.random.default_rng(seed)
    arrivals = generator.uniform(0, until, 12) if kind == "stairs" else generator.exponential(until / 6, 200)
    return np.searchsorted(np.sort(arrivals), X) / len(arrivals)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(("ramp", "decay", "stairs", "cache")), st.floats(0.05, 0.4), st.floats(5.0, 150.0),
    st.sampled_from(("white", "heavy", "coarse", "AR 0.6")), st.sets(st.integers(8, 40), min_size=3, max_size=3),
    st.integers(0, 10_000),
)  # fmt: skip
def test_a_settled_series_passes_however_short_it_is_cut(
    kind: str, until: float, rise: float, noise: str, cuts: set[int], seed: int
) -> None:
    rest = 0.2 * MIB * NOISES[noise](np.random.default_rng(seed), N)
    values = 200 * MIB + rise * MIB * settled(kind, until, seed) + rest
    assert {cut: verdict(values, N - cut) for cut in (0, *cuts)} == dict.fromkeys((0, *cuts), "pass")


@pytest.mark.parametrize("cut", [0, *range(8, 41, 4), 31, 39])
def test_a_recorded_plateau_passes_however_short_it_is_cut(cut: int) -> None:
    (series,) = tables.read(TRACES / "profiler_short.csv").series
    assert judge([series.part(slice(0, len(series.t) - cut))], settings_of()).verdict == "pass"


def test_garbage_that_is_collected_every_minute_is_no_leak_of_the_heap() -> None:
    told = judge(tables.read(TRACES / "gc_cycles.csv").series, settings_of())
    assert told.verdict == "pass"
    (heap,) = (f for f in told.findings if f.layer == "host_heap")
    assert heap.restarts == 0, "resident memory did not fall with it: the process went on"


@settings(max_examples=25, deadline=None)
@given(st.floats(2.05, 3.4), st.floats(0.0, 0.5), st.integers(0, 10_000))
@example(2.6015625, 0.4140625, 0)
def test_a_few_teeth_of_a_sawtooth_are_no_leak(teeth: float, begun: float, seed: int) -> None:
    rest = 0.1 * MIB * np.random.default_rng(seed).normal(size=N)
    assert verdict(300 * MIB + 10 * MIB * ((X * teeth + begun) % 1) + rest) != "leak"


@settings(max_examples=15, deadline=None)
@given(st.floats(0.3, 0.6), st.integers(0, 10_000))
def test_growth_that_goes_on_past_the_peak_it_fell_from_is_a_leak(fall: float, seed: int) -> None:
    """What fell once is not forgiven what it grew by."""
    rest = 0.1 * MIB * np.random.default_rng(seed).normal(size=N)
    assert verdict(300 * MIB + 40 * MIB * X - 8 * MIB * (fall < X) + rest) == "leak"
