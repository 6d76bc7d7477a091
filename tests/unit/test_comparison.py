"""Two sides of planted truth: what is said of their differences."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from monitors.comparison.chance import holm
from monitors.comparison.measures import MEASURES, named
from monitors.comparison.model import Difference, Measured
from monitors.comparison.spread import Spread, of_values
from monitors.comparison.statistics import LEVEL, compare, compare_each
from monitors.comparison.words import by, shown

LEAK, GROWTH, STEP, MEMORY, THROUGHPUT = (
    named(name) for name in ("leak_probability", "growth_per_hour", "growth_per_step", "steady_memory", "throughput")
)


def side(values: Sequence[float], name: str, group: str = "g", deviation: float | None = None) -> list[Measured]:
    """Trials with these values; the pair is the place in the list."""
    known: Mapping[str, float] = {} if deviation is None else {name: deviation}
    return [Measured(group, str(i), {name: float(value)}, known) for i, value in enumerate(values)]


def planted(ratio: float, pairs: int, noise: float = 0.03, seed: int = 0) -> tuple[list[Measured], list[Measured]]:
    """Steady memory of two sides whose ratio is planted; what pairs share differs by far more."""
    draw = np.random.default_rng(seed).normal
    block = np.exp(draw(20, 1, pairs))
    first, second = (block * factor * np.exp(draw(0, noise, pairs)) for factor in (ratio, 1.0))
    return side(first, MEMORY.name), side(second, MEMORY.name)


def only(found: list[Difference]) -> Difference:
    assert len(found) == 1
    return found[0]


def test_a_planted_ratio_is_found_under_blocks_that_differ_far_more() -> None:
    found = only(compare(*planted(0.8, 20), MEASURES))
    assert (found.measure, found.group, found.answer, found.reason, found.further) == (
        "steady_memory", "", "lower", "", None,
    )  # fmt: skip
    assert (found.trials, found.pairs) == ((20, 20), 20)
    assert found.relative is not None
    assert found.relative.low is not None
    assert found.relative.high is not None
    assert found.relative.low < -0.2 < found.relative.high < -0.15
    assert found.p is not None
    assert found.p < 1e-10


def test_one_pair_tells_values_and_no_interval_and_says_why() -> None:
    """Nor how many more would do: nothing is known of how much pairs differ."""
    found = only(compare(*planted(0.5, 1), MEASURES))
    assert found.answer == "undecided"
    assert found.reason == "one pair of trials gives no interval"
    assert found.relative is not None
    assert found.relative.value == pytest.approx(-0.5, abs=0.1)
    assert (found.relative.low, found.absolute.low, found.p, found.further) == (None, None, None, None)


def test_equal_sides_are_alike_once_there_are_trials_enough() -> None:
    few = only(compare(*planted(1.0, 3, noise=0.05), MEASURES))
    assert few.answer == "undecided"
    assert "would fit what was seen" in few.reason
    assert few.further is not None
    many = only(compare(*planted(1.0, 3 + few.further, noise=0.05), MEASURES))
    assert (many.answer, many.further) == ("alike", None)


def test_a_difference_within_the_margin_is_alike_however_surely_it_is_one() -> None:
    trials = planted(0.98, 40, noise=0.01)
    assert only(compare(*trials, MEASURES)).answer == "alike"
    assert only(compare(*trials, MEASURES, margin=0.005)).answer == "lower"


def test_trials_that_all_leak_against_none() -> None:
    found = only(compare(side([0.02] * 20, LEAK.name), side([0.98] * 20, LEAK.name), [LEAK]))
    assert found.answer == "lower"
    assert found.first.low == 0.0
    assert found.second.high == 1.0
    assert found.absolute.value < -0.9
    assert found.relative is not None
    assert found.relative.value < -0.9
    assert found.relative.high is not None
    assert found.relative.high < -0.8


def test_where_none_leaks_the_one_is_no_multiple_of_the_other() -> None:
    found = only(compare(side([0.01] * 20, LEAK.name), side([0.01] * 20, LEAK.name), [LEAK]))
    assert (found.answer, found.relative) == ("undecided", None)
    assert found.reason == "the leak probability of both is near 0, as far as so few trials tell"
    assert found.further is not None
    more = [0.01] * (20 + found.further)
    assert only(compare(side(more, LEAK.name), side(more, LEAK.name), [LEAK])).answer == "alike"


def test_trials_that_tell_nothing_are_said_to() -> None:
    found = only(compare(side([0.5] * 9, LEAK.name), side([0.99] * 9, LEAK.name), [LEAK]))
    assert (found.first.low, found.first.high) == (0.0, 1.0)
    assert found.reason == "the trials of one side at least do not tell their leak probability"


def test_an_uncertain_trial_says_less_than_a_certain_one() -> None:
    sure, unsure = (only(compare(side([p] * 8, LEAK.name), side([1 - p] * 8, LEAK.name), [LEAK])) for p in (0.01, 0.2))
    assert sure.p is not None
    assert unsure.p is not None
    assert sure.p < unsure.p


def test_growth_is_compared_by_its_difference_with_the_error_within_trials() -> None:
    rates = np.array([9.0, 11.0, 10.0]) * 2.0**20
    plain = only(compare(side(rates, GROWTH.name), side(rates * 0, GROWTH.name), [GROWTH]))
    rough = only(
        compare(side(rates, GROWTH.name, deviation=2**23), side(rates * 0, GROWTH.name, deviation=2**23), [GROWTH])
    )
    assert (plain.answer, plain.relative) == ("higher", None)
    assert plain.absolute.value == rough.absolute.value == pytest.approx(10 * 2**20)
    assert rough.answer == "undecided"
    assert plain.absolute.low is not None
    assert rough.absolute.low is not None
    assert rough.absolute.low < plain.absolute.low


def test_growth_beside_next_to_none_is_no_multiple_of_it() -> None:
    """Of the smallest number that there is any other is more times than can be counted."""
    found = only(
        compare(side([4.0, 0.0], "growth_per_hour"), side([0.0, sys.float_info.min], "growth_per_hour"), MEASURES)
    )
    assert found.relative is None
    assert found.absolute.value == pytest.approx(2.0)


def test_growth_that_is_too_slow_to_count_is_alike() -> None:
    draw = np.random.default_rng(3).normal
    found = compare(side(draw(0, 1e5, 9), GROWTH.name), side(draw(0, 1e5, 9), GROWTH.name), [GROWTH])
    assert only(found).answer == "alike"


def per_step(values: Sequence[float], nothing: float) -> list[Measured]:
    return [Measured("g", str(i), {STEP.name: v}, {}, {STEP.name: nothing}) for i, v in enumerate(values)]


def test_growth_per_step_that_makes_too_little_an_hour_in_any_trial_is_alike() -> None:
    """Of two sides at 1,000 and 4,000 steps an hour the faster bounds it: there half as much makes 2 MiB/h more."""
    slow, fast = 2.0**20 / 1000, 2.0**20 / 4000
    zeros, between, below = [0.0, 1.0, -1.0, 2.0, -2.0], [550.0, 551.0, 549.0, 550.5, 549.5], [200.0, 201.0, 199.0] * 2
    far = only(compare(per_step(between, slow), per_step(zeros, fast), [STEP]))
    assert (far.answer, far.nothing) == ("higher", fast)
    assert only(compare(per_step(between, slow), per_step(zeros, slow), [STEP])).answer == "alike"
    near = [
        compare(per_step(below[:5], one), per_step(zeros, other), [STEP]) for one, other in ((slow, fast), (fast, slow))
    ]
    assert [only(found).answer for found in near] == ["alike", "alike"], "whichever side is the faster"
    assert only(compare(per_step(below[:5], 0.0), per_step(zeros, slow), [STEP])).answer == "higher", (
        "one does not tell"
    )


def test_sides_without_pairs_are_compared_by_all_their_trials() -> None:
    first, second = planted(0.8, 12)
    draw = np.random.default_rng(5).normal
    first = side(np.exp(draw(20, 0.03, 9)), MEMORY.name)
    second = [Measured("g", f"other{i}", {MEMORY.name: value}) for i, value in enumerate(np.exp(draw(20.3, 0.03, 7)))]
    found = only(compare(first, second, [MEMORY]))
    assert (found.pairs, found.trials, found.answer) == (0, (9, 7), "lower")
    assert found.relative is not None
    assert found.relative.value == pytest.approx(np.expm1(-0.3), abs=0.05)


def test_all_blocks_come_first_then_each() -> None:
    first, second = planted(0.8, 6)
    other = [[Measured("h", t.pair, t.values) for t in each] for each in (first, second)]
    found = compare([*first, *other[0]], [*second, *other[1]], [MEMORY, THROUGHPUT])
    assert [(d.group, d.pairs) for d in found] == [("", 12), ("g", 6), ("h", 6)]


def test_what_one_side_alone_tells_is_not_compared() -> None:
    first, second = planted(0.8, 6)
    assert compare(first, [Measured("other", t.pair, t.values) for t in second], MEASURES) == []
    assert compare(first, side([1.0], THROUGHPUT.name), MEASURES) == []
    assert compare(side([0.0, float("nan")], MEMORY.name), second, MEASURES) == []


def test_among_many_comparisons_a_weak_one_does_not_count_and_is_said_to() -> None:
    draw = np.random.default_rng(11).normal
    names = [m for m in MEASURES if m.kind == "amount"]
    weak = np.exp(draw(0.0, 0.1, 6) + 0.12)
    first = [
        Measured("g", str(i), {m.name: weak[i] if m is MEMORY else 1.0 + 0.01 * i for m in names}) for i in range(6)
    ]
    second = [
        Measured("g", str(i), {m.name: 1.0 if m is MEMORY else 1.0 + 0.01 * (i ^ 1) for m in names}) for i in range(6)
    ]
    alone = only(compare(first, second, [MEMORY]))
    among = next(d for d in compare(first, second, names) if d.measure == MEMORY.name)
    assert alone.p == among.p
    assert alone.answer == "higher"
    assert among.answer == "undecided"
    assert among.reason.startswith("it would count alone, but among ")


def test_holm_by_hand() -> None:
    assert holm([0.01, None, 0.04, 0.03]) == [pytest.approx(0.03), None, pytest.approx(0.06), pytest.approx(0.06)]


def amounts_of(logs: Sequence[float]) -> tuple[list[Measured], list[Measured]]:
    """Steady memory of pairs with these logarithms of their ratios."""
    return side(np.exp(logs), MEMORY.name), side([1.0] * len(logs), MEMORY.name)


WEAK = amounts_of([0.22, 0.02, 0.21, 0.01, 0.15, 0.12])
NOTHING, SURE = amounts_of([0.001, -0.001] * 3), amounts_of([0.5, 0.51, 0.49] * 2)


@pytest.mark.parametrize("beside", [[NOTHING] * 9, [SURE] * 2 + [NOTHING] * 7, [SURE] * 9])
def test_so_many_more_trials_as_are_told_settle_it_among_all_that_is_compared(
    beside: list[tuple[list[Measured], list[Measured]]],
) -> None:
    """Whatever is a difference already does not count against it; what is none does, alike or not."""
    found = compare_each([WEAK, *beside], [MEMORY])[0][0]
    still = 1 + sum(other is NOTHING for other in beside)
    if still == 1:
        assert (found.answer, found.further) == ("higher", None), "as it is alone"
        return
    assert found.p is not None
    assert found.p < LEVEL < (found.adjusted_p or 0.0)
    assert (found.answer, found.reason) == (
        "undecided", "it would count alone, but among 10 comparisons one may look so by chance",
    )  # fmt: skip
    assert found.further is not None
    times = -(-(6 + found.further) // 6)
    logs = [float(np.log(trial.values[MEMORY.name])) for trial in WEAK[0]]
    more = compare_each([amounts_of(logs * times), *beside], [MEMORY])[0][0]
    assert more.answer == "higher"
    assert more.p is not None
    assert more.p <= LEVEL / still


def test_the_more_is_compared_the_more_trials_it_takes() -> None:
    weaker = amounts_of([0.3, -0.1, 0.21, -0.05, 0.15, 0.12])
    told = [compare_each([weaker, *[NOTHING] * many], [MEMORY])[0][0].further for many in (0, 9, 99)]
    assert None not in told
    assert told == sorted(set(told)), told
    beside = compare_each([weaker, *[SURE] * 99], [MEMORY])[0][0].further
    assert beside == told[0], "what is told already is no matter"


def test_one_of_the_last_in_rank_is_held_to_more_than_its_own_rank() -> None:
    """The last of ten by its p would count at 5 % only if all before it did."""
    weaker, weakest = amounts_of([0.2, -0.1, 0.21, -0.05, 0.15, 0.12]), amounts_of([0.3, -0.24, 0.21, -0.05, 0.1, 0.12])
    last = compare_each([weakest, *[weaker] * 9], [MEMORY])[0][0]
    assert last.p is not None
    assert last.further is not None
    alone = compare_each([weakest], [MEMORY])[0][0]
    assert alone.further is not None
    assert last.further > alone.further


@pytest.mark.parametrize(("count", "quantile"), [(2, 12.7062), (3, 4.3027), (6, 2.5706), (41, 2.0211), (2000, 1.9612)])
def test_without_errors_within_it_is_students_t(count: int, quantile: float) -> None:
    spread = Spread(0.0, 1.0, count - 1.0)
    assert spread.half() == pytest.approx(quantile, rel=1e-4)
    assert Spread(quantile, 1.0, count - 1.0).beyond() == pytest.approx(0.05, rel=1e-3)


def test_few_values_that_happen_to_be_alike_are_not_surer_than_each_of_them() -> None:
    alike = np.array([5.0, 5.0, 5.0])
    assert of_values(alike).half() == 0.0
    assert of_values(alike, np.full(3, 3.0)).half() == pytest.approx(1.96 * 3 / 3**0.5, rel=1e-4)


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        (2**30, "steady_memory", "1 GiB"), (2**20, "growth_per_hour", "1 MiB/h"), (0.012, "latency_p99", "12 ms"),
        (1849.2, "throughput", "1,849/s"), (36.0, "time_to_exhaustion", "1 d 12 h"),
        (0.384, "leak_probability", "0.38"), (1024, "growth_per_step", "1 KiB a step"),
    ],
)  # fmt: skip
def test_values_are_shown_with_their_unit(value: float, name: str, text: str) -> None:
    assert shown(value, named(name)) == text


def test_relative_differences_in_words() -> None:
    assert [by(x) for x in (-0.62, 0.031, 2.2, 0.0)] == ["62 % lower", "3.1 % higher", "3.2 times as high", "the same"]
