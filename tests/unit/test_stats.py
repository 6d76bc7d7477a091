"""The statistics, against truths that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from monitors.detection.stats import (
    FILLING,
    SETTLING,
    cut_blocks,
    normal_cdf,
    orthonormal,
    resolution,
    roughness,
    student_quantile,
    whitener,
    without_spikes,
)


def test_blocks_are_cut_by_time_and_empty_ones_left_out() -> None:
    t = np.concatenate((np.arange(0.0, 10), np.arange(31.0, 40.5)))
    blocks = cut_blocks(t, t * 2, 4)
    assert len(blocks.t) == 2
    assert blocks.floor.tolist() == [0.0, 62.0]
    assert blocks.median.tolist() == [9.0, 71.0]
    assert blocks.start.tolist() == [0, 10]


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


@pytest.mark.parametrize("place", [25, 31, 40])
def test_a_step_on_a_slope_stays_whole(place: int) -> None:
    """Beside a step, a slope differs from the median of a wide window, and yet does not come back."""
    values = 2.0 * np.arange(64) - 60.0 * (np.arange(64) >= place)
    assert without_spikes(values, width=15) == pytest.approx(values)


def test_what_comes_back_to_a_slope_goes() -> None:
    line = 2.0 * np.arange(64)
    held = line + 60.0 * ((np.arange(64) >= 30) & (np.arange(64) < 35))
    assert np.abs(without_spikes(held, width=15) - line).max() < 16


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


@pytest.mark.parametrize(("kind", "white"), [(SETTLING, 0.3), (FILLING, 1e-4)])
def test_a_walk_that_ends_is_white_once_whitened(kind: float, white: float) -> None:
    whiten = whitener(64, kind, white)
    assert np.linalg.slogdet(whiten)[1] == pytest.approx(0, abs=1e-8)
    drawn = np.linalg.solve(whiten, np.random.default_rng(4).normal(size=(64, 2000)))
    steps = np.diff(drawn, axis=0).std(axis=1)
    assert steps[0] > 3 * steps[-1], "its steps fade"


def test_normal_probabilities() -> None:
    known = {-1.96: 0.025, 0.0: 0.5, 1.0: 0.841345, 1.96: 0.975, 9.0: 1.0}
    assert normal_cdf(np.array(list(known))) == pytest.approx(list(known.values()), abs=1e-4)


def test_columns_become_orthonormal_and_spanned_ones_vanish() -> None:
    columns = [np.random.default_rng(i).normal(size=(3, 20)) for i in range(2)]
    basis, lengths = orthonormal([*columns, columns[0] + 2 * columns[1]])
    for design in range(3):
        rows = np.stack([b[design] for b in basis[:2]])
        assert np.allclose(rows @ rows.T, np.eye(2))
    assert (lengths[2] == 0).all()
    assert (basis[2] == 0).all()
