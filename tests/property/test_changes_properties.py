"""Changes of level: what has to hold of any course, and how often what is told is wrong."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitors.comparison.changes import RunCourse, courses
from monitors.comparison.measures import named
from monitors.comparison.places import LEAST

MEMORY, GROWTH = named("steady memory"), named("growth")
AMOUNTS = st.lists(st.floats(1e3, 1e12), min_size=1, max_size=20)
ANY = st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=20)
RUNS = 12


def shape(course: RunCourse) -> tuple[list[int], list[int]]:
    return [change.at for change in course.changes], list(course.outlying)


@settings(max_examples=60, deadline=None)
@given(values=ANY)
def test_levels_cover_all_runs_and_last_and_changes_lie_between_them(values: list[float]) -> None:
    (found,) = courses([(GROWTH, np.array(values))])
    assert found.levels[0].first == 0
    assert found.levels[-1].end == len(values)
    edges = [one.end for one in found.levels[:-1]]
    assert edges == [one.first for one in found.levels[1:]] == [change.at for change in found.changes]
    assert not edges or all(one.end - one.first >= LEAST for one in found.levels)
    for change in found.changes:
        assert change.earliest <= change.at <= change.latest
        assert change.absolute.value != 0
    for one in found.levels:
        if one.level.low is not None and one.level.high is not None:
            assert one.level.low <= one.level.value <= one.level.high


@settings(max_examples=30, deadline=None)
@given(values=AMOUNTS, power=st.integers(-20, 20))
def test_the_unit_of_an_amount_makes_no_difference(values: list[float], power: int) -> None:
    one = courses([(MEMORY, np.array(values))])[0]
    other = courses([(MEMORY, np.array(values) * 2.0**power)])[0]
    assert [change.at for change in one.changes] == [change.at for change in other.changes]


@settings(max_examples=30, deadline=None)
@given(values=ANY)
def test_a_course_upside_down_changes_at_the_same_runs_for_the_opposite(values: list[float]) -> None:
    one, other = (courses([(GROWTH, each)])[0] for each in (np.array(values), -np.array(values)))
    assert shape(one) == shape(other)
    assert all(a.worse is not b.worse for a, b in zip(one.changes, other.changes, strict=True))


def test_of_histories_without_a_change_at_most_one_in_twenty_shows_one() -> None:
    """300 histories of six measures; 15 are expected at most, and more than 24 come by chance once in a hundred."""
    chance = np.random.default_rng(5)
    kinds = (chance.standard_normal, chance.laplace, lambda size: chance.standard_t(3, size))
    false = 0
    for history in range(300):
        draw = kinds[history % 3]
        values = np.exp(0.02 * draw(size=(6, RUNS)))
        false += any(course.changes for course in courses([(MEMORY, each) for each in values]))
    assert false <= 24


def test_a_shift_of_three_deviations_is_nearly_always_found_and_dated_within_a_run() -> None:
    chance = np.random.default_rng(6)
    found = dated = held = 0
    for _ in range(200):
        values = chance.standard_normal(RUNS)
        values[RUNS // 2 :] += 3
        changes = courses([(GROWTH, values)])[0].changes
        found += len(changes) > 0
        dated += any(abs(change.at - RUNS // 2) <= 1 for change in changes)
        held += any(change.earliest <= RUNS // 2 <= change.latest for change in changes)
    assert found >= 180
    assert dated >= 0.9 * found
    assert held >= 0.9 * found
