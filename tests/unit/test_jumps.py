"""Jumps that stand alone are found, curves and sawteeth are not, and a restart is told from a fall."""

from __future__ import annotations

import numpy as np
import pytest

from monitors.detection.jumps import find_jumps, find_load, gave_back, joined
from monitors.detection.series import Floats, Series
from monitors.detection.simulation import MEMORY
from monitors.detection.stairs import stairs_left

M = 64
X = (np.arange(M) + 0.5) / M


def noise(seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=M)


def test_jumps_are_found_where_they_are() -> None:
    jumps = find_jumps(noise() + 30 * (X > 0.4) + 20 * (X > 0.7), 0.01)
    assert [float(X[j]) for j in jumps] == pytest.approx([0.4, 0.7], abs=0.03)


@pytest.mark.parametrize("values", [50 * X, 80 * -np.expm1(-X / 0.1), 80 * X / (X + 0.05), 20 * np.sin(12 * X), 0 * X])
def test_what_bends_does_not_jump(values: Floats) -> None:
    assert len(find_jumps(values + noise(), 0.01)) == 0


def test_a_sawtooth_is_not_taken_apart() -> None:
    assert len(find_jumps(noise() + 40 * (8 * X % 1), 0.01)) == 0


ON = np.isin((X * 9).astype(int), (1, 4, 7))


@pytest.mark.parametrize("slope", [0.0, 40.0, -40.0])
def test_load_that_comes_and_goes_is_found_beside_a_line(slope: float) -> None:
    load = find_load(noise() + slope * X + 30 * ON, 0.01)
    assert load is not None
    assert ((load > 0) == ON).all()
    assert load.max() == pytest.approx(30, rel=0.1)


@pytest.mark.parametrize("values", [0 * X, 50 * X, 30 * (X > 0.5), np.floor(6 * X) * 20, 20 * np.sin(12 * X),
                                    60 * (np.abs(X - 0.5) < 0.1), 40 * (8 * X % 1)])  # fmt: skip
def test_what_does_not_come_and_go_is_no_load(values: Floats) -> None:
    assert find_load(values + noise(), 0.01) is None


def test_the_best_staircase_is_found() -> None:
    y = (10 * (X > 0.3) + 5 * (X > 0.6) + 7 * (X > 0.8))[:, None]
    left = stairs_left(y, 4)
    assert left[0, 0] > 1
    assert left[1, 0] == pytest.approx(0, abs=1e-6)


T = np.arange(1000.0)


def trace(values: Floats, steps: Floats | None = None) -> Series:
    return Series(MEMORY, "", T, values + np.random.default_rng(1).normal(0, 1, len(T)), steps)


def test_a_restart_between_two_climbs_is_joined() -> None:
    climb = np.where(T < 600, T, T - 600)
    whole, restarts = joined(trace(climb))
    assert restarts == 1
    assert np.polyfit(T, whole.values, 1)[0] == pytest.approx(1, rel=0.01)


def test_steps_that_begin_anew_are_a_restart_for_certain() -> None:
    steps = np.where(T < 600, 10 * T, 10 * (T - 600))
    whole, restarts = joined(trace(np.where(T < 600, 300.0, 100.0), steps))
    assert restarts == 1
    assert whole.steps is not None
    assert (np.diff(whole.steps) >= 0).all()


@pytest.mark.parametrize("values", [np.where(T < 600, 300.0, 100.0), 100 * (T / 100 % 1), 0 * T, -T])
def test_a_fall_or_many_teeth_are_left_alone(values: Floats) -> None:
    assert joined(trace(values))[1] == 0


def test_a_fall_counts_until_its_height_is_reached_again() -> None:
    climb = np.where(T < 400, T, T - 400)
    assert gave_back(trace(climb).part(slice(0, 700)))
    assert not gave_back(trace(climb))
    assert not gave_back(trace(T))
    assert not gave_back(trace(0 * T))
