"""Steps that recur against steps that stand alone: both are planted, where they go up and how they are spaced."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.detection.detectors.trend import Trend
from monitors.detection.judge import JudgeSettings
from monitors.detection.jumps import MARGIN
from monitors.detection.recurring import go_on, recurs
from monitors.detection.series import Series
from monitors.detection.simulation import MEMORY
from monitors.detection.stairs import staircases
from monitors.detection.stats import Floats

M = 64


def stairs(*places: int) -> Floats:
    return np.searchsorted(places, np.arange(M), side="right").astype(np.float64)


def odds(*places: int) -> float:
    return recurs(np.array(places), stairs(*places))


def test_even_steps_recur_and_more_of_them_more_surely() -> None:
    told = [odds(*(int(M * (k + 0.5) / count) for k in range(count))) for count in (3, 4, 5, 6, 8)]
    assert told == sorted(told)
    assert told[0] > 0
    assert told[-1] > 3, "as many even steps may be those of a pool that is full by now"
    assert recurs(np.arange(4, M, 8), stairs(*range(4, M, 8)), may_end=False) > 10


@pytest.mark.parametrize("last", [40, 48, 52])
def test_even_steps_that_ended_do_not_recur(last: int) -> None:
    assert odds(*range(last % 8 or 8, last + 1, 8)) < 0


def test_even_steps_that_fade_do_not_recur() -> None:
    places = np.arange(9, M, 9)
    sizes = 0.6 ** np.arange(len(places))
    assert recurs(places, (sizes * (np.arange(M)[:, None] >= places)).sum(axis=1)) < 0


@pytest.mark.parametrize("places", [(2, 4, 6, 8, 10, 12), (3, 6, 12, 24, 48), (2, 31, 33, 35), (5, 7, 9, 60, 62)])
def test_steps_that_end_or_double_or_come_together_stand_alone(places: tuple[int, ...]) -> None:
    assert odds(*places) < 0


def test_two_steps_and_any_step_down_say_nothing() -> None:
    assert odds(20, 40) == -math.inf
    down = stairs(10, 20, 30, 40, 50) - 3 * (np.arange(M) >= 30)
    assert recurs(np.array([10, 20, 30, 40, 50]), down) == -math.inf


EVEN = np.arange(4, M, 8)


def sized(sizes: Floats) -> Floats:
    """Even steps of these sizes; shape (8,)."""
    return np.concatenate([[0.0], np.cumsum(sizes)])[np.searchsorted(EVEN, np.arange(M), side="right")]


@pytest.mark.parametrize("sizes", [0.5 ** np.arange(8), 0.7 ** np.arange(8), 1 / np.arange(1.0, 9.0)])
def test_steps_that_get_ever_smaller_are_a_cache_that_fills(sizes: Floats) -> None:
    """Of data that is shuffled anew, each epoch finds less that is not kept already."""
    assert recurs(EVEN, sized(sizes)) < 0
    t = np.arange(640.0)
    found = Trend().judge(Series(MEMORY, "", t, 1e8 * (1 + np.repeat(sized(sizes), 10)), t + 1), JudgeSettings())
    assert found.verdict == "pass"


@pytest.mark.parametrize(
    "sizes", [np.ones(8), np.array([9.0, 1, 1, 1, 1, 1, 1, 1]), np.array([1, 2, 0.5, 1, 2, 0.5, 1, 0.7])]
)
def test_steps_of_other_sizes_recur(sizes: Floats) -> None:
    assert recurs(EVEN, sized(sizes)) > 3
    assert recurs(EVEN, sized(sizes), may_end=False) > 5


@given(st.lists(st.integers(1, M - 1), min_size=1, max_size=8, unique=True).map(sorted))
def test_the_best_staircase_is_the_one_that_was_planted(places: list[int]) -> None:
    assert staircases(stairs(*places), len(places))[-1].tolist() == places


@given(st.lists(st.integers(1, M - 1), min_size=3, max_size=8, unique=True).map(sorted), st.floats(0.01, 1e9))
def test_the_unit_of_a_series_says_nothing(places: list[int], unit: float) -> None:
    found = np.array(places)
    assert recurs(found, unit * stairs(*places)) == recurs(found, stairs(*places))


@pytest.mark.parametrize("count", [7, 8])
def test_jumps_that_come_evenly_do_not_stand_alone(count: int) -> None:
    """A step in the first blocks or the last is not found as a jump: that it is missing says nothing."""
    places = [int(M * (k + 0.5) / count) for k in range(count)]
    inner = np.array([place for place in places if MARGIN <= place <= M - MARGIN])
    assert go_on(inner, stairs(*places), MARGIN)


@pytest.mark.parametrize("places", [(), (20, 40), (10, 14, 18, 22), (12, 15, 24, 48), (9, 31, 34, 36)])
def test_jumps_that_are_few_or_end_or_double_stand_alone(places: tuple[int, ...]) -> None:
    assert not go_on(np.array(places, dtype=np.int64), stairs(*places), MARGIN)
