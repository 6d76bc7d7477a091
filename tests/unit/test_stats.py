"""The statistics, against truths that can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.stats import (
    bootstrap_slopes,
    cut_blocks,
    effective_rises,
    future_minimum,
    orthonormal,
    resolution,
    roughness,
    student_quantile,
    theil_sen,
    whitener,
    without_spikes,
)  # fmt: skip


def test_theil_sen_is_unmoved_by_a_quarter_of_outliers() -> None:
    x = np.arange(40.0)
    y = 3 * x + 7
    y[::4] += 1e6 * np.random.default_rng(0).normal(size=10)
    assert theil_sen(x, y) == pytest.approx(3, abs=0.05)
    assert math.isnan(theil_sen(np.ones(5), np.arange(5.0)))


def test_blocks_are_cut_by_time_and_empty_ones_left_out() -> None:
    t = np.concatenate((np.arange(0.0, 10), np.arange(31.0, 40.5)))
    blocks = cut_blocks(t, t * 2, 4)
    assert len(blocks.t) == 2
    assert blocks.floor.tolist() == [0.0, 62.0]
    assert blocks.median.tolist() == [9.0, 71.0]
    assert blocks.start.tolist() == [0, 10]


@given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=100))
def test_future_minimum_is_the_least_still_to_come(values: list[float]) -> None:
    floor = future_minimum(np.array(values))
    assert floor.tolist() == [min(values[i:]) for i in range(len(values))]


def test_rises_are_counted_as_if_they_were_equal() -> None:
    assert effective_rises(np.repeat([0.0, 1, 2, 3, 4], 10)) == pytest.approx(4)
    assert effective_rises(np.arange(31.0)) == pytest.approx(30)
    assert effective_rises(np.repeat([0.0, 100, 101, 102], 10)) == pytest.approx(1.04, abs=0.01)
    assert effective_rises(np.arange(10.0)[::-1]) == 0
    noisy = np.repeat([0.0, 10, 20], 20) + np.random.default_rng(0).normal(0, 0.3, 60)
    assert effective_rises(noisy) < 4


def test_the_interval_of_a_slope_holds_it() -> None:
    held = 0
    x = np.linspace(0, 1, 40)
    for seed in range(60):
        y = 5 * x + np.random.default_rng(seed).normal(0, 0.2, 40)
        drawn = bootstrap_slopes(x, y, theil_sen(x, y), 200, 0)
        held += np.quantile(drawn, 0.025) <= 5 <= np.quantile(drawn, 0.975)
    assert held >= 50


def test_roughness_sees_noise_and_neither_trend_nor_step() -> None:
    generator = np.random.default_rng(1)
    values = generator.normal(0, 2, 400) + 100 * np.arange(400) + 1e5 * (np.arange(400) > 200)
    assert roughness(values) == pytest.approx(2, rel=0.35)


def test_spikes_go_and_steps_stay() -> None:
    values = np.concatenate((np.zeros(20), np.full(20, 50.0))) + np.random.default_rng(2).normal(0, 0.1, 40)
    values[10] = 30
    calm = without_spikes(values)
    assert calm[10] < 1
    assert calm[25] > 49


def test_resolution_is_the_page() -> None:
    assert resolution(4096 * np.random.default_rng(0).integers(0, 50, 1000).astype(float)) == 4096
    assert resolution(np.ones(10)) == 0


@pytest.mark.parametrize(("freedom", "expected"), [(4, 2.776), (10, 2.228), (30, 2.042), (1e6, 1.960)])
def test_student_quantiles(freedom: float, expected: float) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(expected, rel=0.01)


def test_whitening_leaves_no_correlation_and_keeps_density() -> None:
    whiten = whitener(200, 0.9)
    assert np.linalg.slogdet(whiten)[1] == pytest.approx(0, abs=1e-8)
    shocks = np.random.default_rng(3).normal(size=200)
    walk = np.zeros(200)
    for i in range(1, 200):
        walk[i] = 0.9 * walk[i - 1] + shocks[i]
    white = whiten @ walk
    assert abs(np.corrcoef(white[1:], white[:-1])[0, 1]) < 0.15
    assert abs(np.corrcoef(walk[1:], walk[:-1])[0, 1]) > 0.7


def test_columns_become_orthonormal_and_spanned_ones_vanish() -> None:
    columns = [np.random.default_rng(i).normal(size=(3, 20)) for i in range(2)]
    basis, lengths = orthonormal([*columns, columns[0] + 2 * columns[1]])
    for design in range(3):
        rows = np.stack([b[design] for b in basis[:2]])
        assert np.allclose(rows @ rows.T, np.eye(2))
    assert (lengths[2] == 0).all()
    assert (basis[2] == 0).all()
