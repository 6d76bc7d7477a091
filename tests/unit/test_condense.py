"""Long series made small: nothing that a verdict rests on is lost, whatever the chunks they come in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitors.detection.condense import CAPACITY, Condenser, condensed
from monitors.detection.series import Series
from monitors.detection.simulation import MEMORY


def fed(t: np.ndarray, values: np.ndarray, size: int, capacity: int = CAPACITY) -> Condenser:
    condenser = Condenser(capacity)
    for start in range(0, len(t), size):
        condenser.add(t[start : start + size], values[start : start + size], 2 * t[start : start + size])
    return condenser


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.integers(1, 90), st.integers(8, 64))
def test_nothing_is_lost_but_detail(n: int, size: int, capacity: int) -> None:
    t = np.arange(float(n))
    values = np.random.default_rng(n).normal(size=n)
    series = fed(t, values, size, capacity).series(MEMORY)
    assert series.size == n
    assert len(series.t) <= capacity + 1
    assert (np.diff(series.t) > 0).all()
    if n == 0:
        return
    floors = series.values if series.floors is None else series.floors
    assert floors.min() == values.min()
    assert values.min() <= series.values.min() <= series.values.max() <= values.max()
    assert series.steps is not None
    assert series.steps == pytest.approx(2 * series.t)


def test_few_samples_are_kept_as_they_are() -> None:
    t = np.arange(100.0)
    series = fed(t, t**2, 7).series(MEMORY)
    assert series.values.tolist() == (t**2).tolist()
    assert series.floors is None


def test_what_is_no_sample_is_left_out_and_counted() -> None:
    t = np.array([0.0, 1, 1, 2, 0.5, 3, np.nan, 4])
    values = np.array([5.0, 6, 7, np.nan, 8, 9, 10, np.inf])
    condenser = Condenser()
    condenser.add(t, values)
    assert condenser.series(MEMORY).t.tolist() == [0, 1, 3]
    assert condenser.series(MEMORY).values.tolist() == [5, 6, 9]
    assert condenser.dropped == 5


def test_gaps_are_counted_across_chunks() -> None:
    t = np.concatenate((np.arange(0.0, 50), np.arange(90.0, 140), np.arange(141.0, 150)))
    assert fed(t, t, 50).series(MEMORY).gaps == 1


def test_the_slope_of_a_million_samples_survives() -> None:
    t = np.arange(1e6)
    values = 5 * t + np.random.default_rng(0).normal(0, 1000, len(t))
    (small,) = condensed([Series(MEMORY, "", t, values)])
    assert len(small.t) <= CAPACITY + 1
    assert np.polyfit(small.t, small.values, 1)[0] == pytest.approx(5, rel=1e-3)
