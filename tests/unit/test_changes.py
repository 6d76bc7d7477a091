"""When a level changed: planted changes are found and dated, and what is none is not told."""

from __future__ import annotations

import numpy as np
import pytest

from monitors.comparison.changes import LevelChange, RunCourse, courses
from monitors.comparison.measures import named
from monitors.comparison.places import FEWEST

MEMORY, GROWTH, LEAK = named("steady memory"), named("growth"), named("leak probability")
SPEED = named("throughput")


def noise(runs: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(runs)


def memory(*levels: tuple[int, float], seed: int = 1) -> np.ndarray:
    """Bytes: levels of so many runs each, with a noise of one part in a hundred."""
    whole = np.concatenate([np.full(runs, level) for runs, level in levels])
    return np.asarray(whole * np.exp(0.01 * noise(len(whole), seed)))


def course(values: np.ndarray) -> RunCourse:
    return courses([(MEMORY, values)])[0]


def test_a_planted_change_is_found_dated_and_measured() -> None:
    found = course(memory((7, 1e9), (5, 1.1e9)))
    (change,) = found.changes
    assert (change.at, change.earliest, change.latest) == (7, 7, 7)
    assert change.worse
    assert change.relative is not None
    assert change.relative.low is not None
    assert change.relative.high is not None
    assert change.relative.low < 0.1 < change.relative.high
    assert change.relative.high - change.relative.low < 0.04
    assert [(one.first, one.end) for one in found.levels] == [(0, 7), (7, 12)]
    assert found.levels[1].level.value == pytest.approx(1.1e9, rel=0.01)


@pytest.mark.parametrize("runs", range(1, FEWEST))
def test_too_few_runs_tell_no_change_and_say_so(runs: int) -> None:
    found = course(memory((runs // 2, 1e9), (runs - runs // 2, 5e9)))
    assert found.p is None
    assert found.adjusted_p is None
    assert not found.changes
    assert len(found.levels) == 1


def test_six_runs_are_enough_for_a_large_change() -> None:
    assert [change.at for change in course(memory((3, 1e9), (3, 1.5e9))).changes] == [3]


@pytest.mark.parametrize("at", range(12))
def test_one_outlying_run_is_told_and_is_no_change(at: int) -> None:
    values = memory((12, 1e9))
    values[at] *= 3
    found = course(values)
    assert not found.changes
    assert list(found.outlying) == [at]
    assert found.levels[0].level.value == pytest.approx(1e9, rel=0.02)


def test_two_outlying_runs_at_the_end_are_no_change_yet_and_a_third_makes_it_one() -> None:
    assert not course(memory((10, 1e9), (2, 2e9))).changes
    assert [change.at for change in course(memory((10, 1e9), (3, 2e9))).changes] == [10]


def test_a_change_is_found_beside_an_outlying_run() -> None:
    values = memory((10, 1e9), (10, 1.1e9))
    values[4] *= 2
    found = course(values)
    assert [change.at for change in found.changes] == [10]
    assert list(found.outlying) == [4]


def test_what_rises_and_comes_back_is_two_changes() -> None:
    found = course(memory((8, 1e9), (8, 1.1e9), (8, 1e9)))
    assert [(change.at, change.worse) for change in found.changes] == [(8, True), (16, False)]


def test_a_staircase_is_all_its_steps() -> None:
    assert [c.at for c in course(memory((8, 1e9), (8, 1.1e9), (8, 1.2e9), (8, 1.3e9))).changes] == [8, 16, 24]


def test_more_throughput_is_better_and_less_is_worse() -> None:
    slower = courses([(SPEED, memory((6, 100.0), (6, 80.0)))])[0]
    faster = courses([(SPEED, memory((6, 80.0), (6, 100.0)))])[0]
    assert [change.worse for change in slower.changes] == [True]
    assert [change.worse for change in faster.changes] == [False]


def test_growth_may_be_negative_and_changes_by_a_difference() -> None:
    values = np.concatenate([noise(8), 20 + noise(8, 2)]) * 2**20
    (change,) = courses([(GROWTH, values)])[0].changes
    assert change.at == 8
    assert change.relative is None
    assert change.absolute.value == pytest.approx(20 * 2**20, rel=0.1)


def test_values_without_any_noise_change_for_certain() -> None:
    found = course(np.array([5e6] * 4 + [6e6] * 4))
    assert [change.at for change in found.changes] == [4]
    assert not course(np.full(9, 5e6)).changes


def test_a_workload_that_begins_to_leak_is_dated_and_needs_more_than_three_runs_of_each() -> None:
    quiet, leaking = [0.001, 0.02, 0.005], [0.99, 0.97, 0.999]
    assert not courses([(LEAK, np.array(quiet + leaking))])[0].changes, "one of twenty orders is as orderly"
    found = courses([(LEAK, np.array(quiet * 2 + leaking * 2))])[0]
    (change,) = found.changes
    assert change.at == 6
    assert change.worse
    assert change.absolute.low is not None
    assert change.absolute.low > 0.3


def test_a_level_is_of_all_trials_of_its_runs_and_not_of_their_means() -> None:
    """Ten repeats a run, of which five surely leak: a mean of 0.5 would say that nothing is known of any."""
    half = [np.array([0.999] * 5 + [0.001] * 5)] * 8
    found = courses([(LEAK, half)])[0]
    (level,) = found.levels
    assert level.level.value == pytest.approx(0.5, abs=0.01)
    assert level.level.low is not None
    assert level.level.high is not None
    assert level.level.high - level.level.low < 0.25
    lost = courses([(LEAK, np.full(8, 0.5))])[0].levels[0].level
    assert lost.low is not None
    assert lost.high is not None
    assert lost.high - lost.low > 0.9, "which is what runs of one trial say that tells nothing"


def test_one_restart_in_ten_of_every_run_is_a_tenth() -> None:
    (level,) = courses([(named("restarts"), [np.array([1.0] + [0.0] * 9)] * 8)])[0].levels
    assert level.level.value == pytest.approx(0.1, abs=0.01)
    assert level.level.low is not None
    assert level.level.high is not None
    assert 0.03 < level.level.low < level.level.high < 0.2


def test_a_change_of_a_share_is_as_sure_as_its_trials_are_many() -> None:
    def change(trials: int) -> LevelChange:
        quiet, half = np.full(trials, 0.01), np.array([0.01, 0.99] * (trials // 2))
        (found,) = courses([(LEAK, [quiet] * 6 + [half] * 6)])[0].changes
        return found

    few, many = change(2).absolute, change(10).absolute
    assert few.low is not None
    assert many.low is not None
    assert few.value == pytest.approx(0.5, abs=0.1)
    assert few.low < many.low
    assert many.low > 0.3


def test_a_leak_that_is_found_now_and_then_is_no_change() -> None:
    assert not courses([(LEAK, np.array([0.01, 0.9, 0.01, 0.02, 0.95, 0.01, 0.01, 0.9, 0.02, 0.01]))])[0].changes


def test_more_courses_ask_more_of_each() -> None:
    alone = courses([(MEMORY, memory((6, 1e9), (6, 1.04e9)))])[0]
    among = courses(
        [(MEMORY, memory((6, 1e9), (6, 1.04e9))), *[(MEMORY, memory((12, 1e9), seed=s)) for s in range(30)]]
    )
    assert alone.p is not None
    assert alone.adjusted_p == alone.p
    assert among[0].adjusted_p is not None
    assert among[0].adjusted_p == pytest.approx(31 * alone.p, rel=0.2)


def test_none_is_no_history() -> None:
    assert courses([]) == []
