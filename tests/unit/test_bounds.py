"""Claims of a figure: read, and held against simulated trials of known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.comparison.bounds import hold_bound, is_bound, of_side, parse_bound
from monitors.comparison.measures import named
from monitors.comparison.model import Bound, Measured


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("server latency_p99 at most 120 ms", Bound("server", "latency_p99", "at most", 0.12)),
        ("tensorflow p99 latency at most 0.12 s", Bound("tensorflow", "latency_p99", "at most", 0.12)),
        ("lite program_size at most 3.2 MB", Bound("lite", "program_size", "at most", 3.2e6)),
        ("torch throughput at least 25/s", Bound("torch", "throughput", "at least", 25.0)),
        ("torch leak probability at most 5 %", Bound("torch", "leak_probability", "at most", 0.05)),
        ("two step_speed at least 92% of one", Bound("two", "step_speed", "at least", 0.92, "one")),
        ("  two  step_speed  at  least 92 %  of one ", Bound("two", "step_speed", "at least", 0.92, "one")),
    ],
)
def test_it_is_read(text: str, read: Bound) -> None:
    assert is_bound(text)
    found = parse_bound(text)
    assert found.value == pytest.approx(read.value)
    assert (found.first, found.measure, found.limit, found.second) == (
        read.first,
        read.measure,
        read.limit,
        read.second,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server latency_p99 at most 120", "expected us, µs, ms, s after 120"),
        ("server latency_p99 at most 120 MB", "not `MB`"),
        ("server latenci at most 1 s", "did you mean"),
        ("two step_speed at least 92 of one", "expected %"),
        ("at most 3 s", "expected `SIDE MEASURE"),
        ("server latency_p99 at most 1.2.3 s", "expected a number"),
        (f"server throughput at least {'9' * 400} /s", "expected a number"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("`", ".").replace("%", "%")):
        parse_bound(text)


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_is_read_or_refused(before: str, after: str) -> None:
    for text in (before, f"{before} at most {after}", f"one latency_p99 at least {after}"):
        try:
            found = parse_bound(text)
        except ValueError:
            continue
        assert found.value >= 0


def test_at_least_so_much_lower_is_a_claim_of_two_sides() -> None:
    assert not is_bound("tensorflow leak_probability at least 62% lower than torch")


def trials(values: np.ndarray, group: str = "g") -> list[Measured]:
    return [Measured(group, str(at), {"latency_p99": float(value)}) for at, value in enumerate(values)]


def test_a_figure_is_kept_by_the_whole_interval_or_not_at_all() -> None:
    bound = parse_bound("server latency_p99 at most 120 ms")
    near = np.array([0.100, 0.101, 0.099])
    assert hold_bound(bound, trials(near)).answer == "supported"
    assert hold_bound(bound, trials(near + 0.05)).answer == "refuted"
    undecided = hold_bound(bound, trials(np.array([0.11, 0.14, 0.10])))
    assert undecided.answer == "undecided"
    assert undecided.further is not None
    assert hold_bound(bound, trials(near[:1])).further is None, "one trial does not say how much trials differ"
    assert hold_bound(bound, []).answer == "undecided"


def test_at_least_is_the_mirror_of_at_most() -> None:
    values = np.array([0.100, 0.101, 0.099])
    most, least = (parse_bound(f"server latency_p99 at {word} 120 ms") for word in ("most", "least"))
    assert (hold_bound(most, trials(values)).answer, hold_bound(least, trials(values)).answer) == (
        "supported",
        "refuted",
    )


def test_a_share_is_that_of_pairs() -> None:
    one = np.array([1.0, 10.0, 3.0])
    bound = parse_bound("two latency_p99 at least 92% of one")
    assert hold_bound(bound, trials(0.97 * one), trials(one)).answer == "supported"
    assert hold_bound(bound, trials(0.80 * one), trials(one)).answer == "refuted"


def known(name: str, values: list[float], deviation: float = 0.0) -> list[Measured]:
    return [Measured("g", str(at), {name: value}, {name: deviation}) for at, value in enumerate(values)]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", ["growth_per_hour", "leak_probability"])
def test_of_what_may_be_nothing_there_is_no_share(name: str, count: int) -> None:
    found = hold_bound(
        parse_bound(f"a {name} at most 92% of b"), known(name, [1.0] * count), known(name, [0.0] * count)
    )
    assert found.answer == "undecided"
    assert found.reason.endswith(" of b may be nothing, and nothing is a share of that.")


def test_a_share_that_no_two_trials_tell_is_undecided() -> None:
    bound = parse_bound("two latency_p99 at least 92% of one")
    assert hold_bound(bound, trials(np.ones(3)), []).reason == "No two trials of both sides tell the latency p99."


def test_growth_is_no_surer_than_each_trial_knows_it() -> None:
    """Two trials that agree by luck, each of which may be off by twice the bound."""
    bound = parse_bound("a growth_per_hour at most 5 MiB/h")
    assert hold_bound(bound, known("growth_per_hour", [1e6, 1.0001e6])).answer == "supported"
    assert hold_bound(bound, known("growth_per_hour", [1e6, 1.0001e6], 10e6)).answer == "undecided"


@pytest.mark.parametrize(
    ("text", "one", "other"),
    [
        ("a latency_p99 at most 120 ms", 0.10, None),
        ("a latency_p99 at least 92% of b", 1.05, 1.0),
        ("a growth_per_hour at most 5 MiB/h", 4 * 2**20, None),
    ],
)
def test_so_many_more_trials_settle_it_in_four_of_five_repetitions(text: str, one: float, other: float | None) -> None:
    """The side scatters by a third, just as its first trials did: their number is known, so is how often it will do."""
    bound, random, shape = parse_bound(text), np.random.default_rng(3), np.array([-1.0, 0.0, 1.0]) / 3

    def sides(scatter: np.ndarray) -> tuple[list[Measured], list[Measured]]:
        first = one * (1 + scatter) if bound.measure == "growth_per_hour" else one * np.exp(scatter)
        return (
            known(bound.measure, first.tolist()),
            known(bound.measure, [other] * len(scatter)) if other else [],
        )

    begun = hold_bound(bound, *sides(shape))
    assert begun.answer == "undecided"
    assert begun.further is not None
    count = len(shape) + begun.further
    settled = [
        hold_bound(bound, *sides(random.standard_normal(count) / 3)).answer == "supported" for _ in range(300)
    ]  # fmt: skip
    assert 0.72 <= np.mean(settled) <= 0.9, begun.further


def test_where_no_number_of_trials_would_settle_it_none_is_told() -> None:
    found = hold_bound(parse_bound("a latency_p99 at most 120 ms"), trials(0.12 * np.exp(np.array([-0.3, 0.0, 0.3]))))
    assert (found.answer, found.further) == ("undecided", None)


def test_of_a_probability_it_is_told_too() -> None:
    few = known("leak_probability", [0.0, 1.0, 1.0, 1.0])
    found = hold_bound(parse_bound("a leak_probability at least 50%"), few)
    assert found.answer == "undecided"
    assert found.further is not None
    assert hold_bound(parse_bound("a leak_probability at least 50%"), few * (1 + found.further)).answer == "supported"


@pytest.mark.parametrize(
    ("text", "scatter", "said"),
    [
        ("a latency_p99 at most 1 s", 0.1, "All of the 95 % interval, 78 ms to 128 ms, is at most 1 s."),
        ("a latency_p99 at most 50 ms", 0.1, "None of the 95 % interval, 78 ms to 128 ms, is at most 50 ms."),
        ("a latency_p99 at most 100 ms", 0.1, "The 95 % interval, 78 ms to 128 ms, has 100 ms within it."),
        ("a latency_p99 at least 92% of b", 2.0, "The 95 % interval, 0.7 % to > 1,000 %, has 92 % of b within it."),
    ],
)
def test_the_reason_names_the_interval_and_the_bound(text: str, scatter: float, said: str) -> None:
    first = 0.1 * np.exp(np.array([-scatter, 0.0, scatter]))
    assert hold_bound(parse_bound(text), trials(first), trials(np.full(3, 0.1))).reason == said


@pytest.mark.parametrize("count", [2, 3, 8])
def test_a_wrong_answer_is_rare_and_the_interval_covers(count: int) -> None:
    """Lognormal trials whose median is just what the claim says: either answer is wrong, each in 2.5 % at most."""
    random, bound, wrong, covered, rounds = (
        np.random.default_rng(7),
        parse_bound("s latency_p99 at most 120 ms"),
        0,
        0,
        600,
    )
    for _ in range(rounds):
        side = trials(0.12 * np.exp(0.2 * random.standard_normal(count)))
        wrong += hold_bound(bound, side).answer != "undecided"
        found = of_side(named("latency_p99"), side)
        assert found is not None
        low, high = found[0].low, found[0].high
        assert low is not None
        assert high is not None
        covered += low <= 0.12 <= high
    assert wrong <= 0.08 * rounds
    assert 0.92 * rounds <= covered <= 0.98 * rounds


def certain(leaks: int, of: int) -> list[Measured]:
    return known("leak_probability", [1.0] * leaks + [0.0] * (of - leaks))


@pytest.mark.parametrize("count", [1, 3, 5, 10])
@pytest.mark.parametrize("limit", ["at most", "at least"])
def test_a_bound_of_a_probability_that_is_just_the_truth_is_seldom_called(limit: str, count: int) -> None:
    """Every outcome of trials of which each surely leaks or not, by arithmetic: either answer is wrong, or all but."""
    for share in (0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99, 0.999):
        bound = parse_bound(f"a leak_probability {limit} {100 * share} %")
        chances = [math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(count + 1)]
        answers = [hold_bound(bound, certain(k, count)).answer for k in range(count + 1)]
        for wrong in ("supported", "refuted"):
            assert sum(p for p, answer in zip(chances, answers, strict=True) if answer == wrong) <= 0.05, (share, wrong)


def test_few_trials_of_which_none_leaks_do_not_support_what_jeffreys_prior_alone_would() -> None:
    """Of 0.54 one in ten samples of three has no leak at all: the interval ends there, and tells no more than that."""
    told = of_side(named("leak_probability"), certain(0, 3))
    assert told is not None
    end = told[0].high
    assert end is not None
    found = hold_bound(Bound("a", "leak_probability", "at most", end + 0.001), certain(0, 3))
    assert (found.answer, found.reason) == (
        "undecided", "With so few trials the answer hangs on what is assumed before any is seen.",
    )  # fmt: skip
    assert found.further is not None
    more = hold_bound(Bound("a", "leak_probability", "at most", end + 0.001), certain(0, 3 + found.further))
    assert more.answer == "supported"


def test_nothing_seen_refutes_no_bound_however_small() -> None:
    bound = parse_bound("a leak_probability at most 0.000001 %")
    assert hold_bound(bound, certain(0, 40)).answer == "undecided"
    assert hold_bound(parse_bound("a leak_probability at most 0 %"), certain(0, 40)).answer == "undecided"
    assert hold_bound(bound, certain(20, 40)).answer == "refuted"


def test_many_trials_support_or_refute_a_bound_of_a_probability() -> None:
    bound = parse_bound("a leak_probability at most 20 %")
    assert [hold_bound(bound, certain(leaks, 40)).answer for leaks in (0, 8, 20)] == [
        "supported", "undecided", "refuted",
    ]  # fmt: skip
    least = parse_bound("a leak_probability at least 80 %")
    assert hold_bound(least, certain(40, 40)).answer == "supported"
    share = parse_bound("a leak_probability at most 92% of b")
    assert hold_bound(share, certain(2, 40), certain(38, 40)).answer == "supported"
    assert hold_bound(share, certain(38, 40), certain(2, 40)).answer == "refuted"
    assert hold_bound(share, certain(1, 3), certain(3, 3)).answer == "undecided"
