"""Claims in words, and what trials of planted truth say of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from monitors.comparison.claims import hold, parse, show
from monitors.comparison.model import Claim, Measured


def side(values: Sequence[float], name: str) -> list[Measured]:
    return [Measured("g", str(i), {name: float(value)}) for i, value in enumerate(values)]


def leaks(count: int, of: int) -> list[Measured]:
    """Trials of which so many are likely to leak."""
    return side([0.98] * count + [0.02] * (of - count), "leak_probability")


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("tensorflow 62% lower than torch", Claim("tensorflow", "leak_probability", 62, "lower", "torch")),
        ("tf leak probability 62 % lower than torch", Claim("tf", "leak_probability", 62, "lower", "torch")),
        ("tensorflow lower than torch", Claim("tensorflow", "leak_probability", 0, "lower", "torch")),
        ("torch 2.13.0 memory at least 12.5% higher than torch 2.12.1",
         Claim("torch 2.13.0", "steady_memory", 12.5, "higher", "torch 2.12.1")),
        ('"my runs/a" peak memory 5% less than "b than c"', Claim("my runs/a", "peak_memory", 5, "lower", "b than c")),
        ("torch latency p99 10% more than tensorflow", Claim("torch", "latency_p99", 10, "higher", "tensorflow")),
        ("torch latency p99 10% slower than tensorflow", Claim("torch", "latency_p99", 10, "higher", "tensorflow")),
        ("torch latency p99 10% faster than tensorflow", Claim("torch", "latency_p99", 10, "lower", "tensorflow")),
        ("torch throughput 10% slower than tensorflow", Claim("torch", "throughput", 10, "lower", "tensorflow")),
        ("torch is 23% faster than tensorflow", Claim("torch", "throughput", 23, "higher", "tensorflow")),
        ("torch slower than tensorflow", Claim("torch", "throughput", 0, "lower", "tensorflow")),
        ("torch uses 20% less memory than tensorflow", Claim("torch", "steady_memory", 20, "lower", "tensorflow")),
        ("tensorflow memory steadier than torch", Claim("tensorflow", "memory_variation", 0, "lower", "torch")),
        ("a steadier than b", Claim("a", "memory_variation", 0, "lower", "b")),
        ("a growth per step 1% lower than b", Claim("a", "growth_per_step", 1, "lower", "b")),
        ("a leak_probability 120% higher than b", Claim("a", "leak_probability", 120, "higher", "b")),
        ("A RESTARTS 5% LOWER THAN B", Claim("A", "restarts", 5, "lower", "B")),
    ],
)  # fmt: skip
def test_claims_are_read(text: str, claim: Claim) -> None:
    assert parse(text) == claim
    assert parse(show(claim)) == claim


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected `than` once"),
        ("tensorflow 62% lower torch", "expected `than` once"),
        ("a lower than b than c", "expected `than` once"),
        ("lower than torch", "expected the first side"),
        ("tensorflow lower than", "expected the second side"),
        ("tensorflow 62% lowr than torch", "did you mean `lower`?"),
        ("tensorflow than torch", "expected one of lower, less"),
        ("tensorflow troughput 62% lower than torch", "did you mean `throughput`?"),
        ("tensorflow speed of light 2% lower than torch", "expected a measure (leak probability, growth per hour, "),
        ("tensorflow memory 62 lower than torch", "expected a number with % right before `lower`, not `62`"),
        ("tensorflow 100% lower than torch", "expected less than 100% lower"),
        ("tensorflow memory 5% faster than torch", "expected `lower` or `higher` of steady memory"),
        ("tensorflow throughput steadier than torch", "expected `steadier` of memory"),
        (
            "tensorflow memory 5% lower throughput than torch",
            "expected one measure, not both `memory` and `throughput`",
        ),
        ("tensorflow 62% lower than torch today", "expected nothing after the second side, not `today`"),
        ('tensorflow 62% lower than "torch', 'expected a second `"`'),
    ],
)
def test_what_is_no_claim_is_told_with_what_was_expected(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="claim `") as error:
        parse(text)
    assert said in str(error.value)


def test_none_of_twenty_against_all_of_twenty_supports_62_percent() -> None:
    found = hold(parse("tensorflow 62% lower than torch"), leaks(0, 20), leaks(20, 20))
    assert (found.answer, found.further) == ("supported", None)
    assert found.reason.startswith("The leak probability of tensorflow is 0.02 (0 to 0.1")
    assert found.reason.endswith("so it is 62 % lower or more.")


def test_all_of_twenty_against_none_of_twenty_refutes_it() -> None:
    found = hold(parse("tensorflow 62% lower than torch"), leaks(20, 20), leaks(0, 20))
    assert (found.answer, found.further) == ("refuted", None)
    assert found.reason.endswith("so it is not 62 % lower.")


def test_where_no_trial_leaks_nothing_can_be_lower_and_no_number_of_trials_would_tell() -> None:
    found = hold(parse("tensorflow 62% lower than torch"), leaks(0, 20), leaks(0, 20))
    assert (found.answer, found.further) == ("undecided", None)
    assert "no trial of either side looks like a leak, so that neither can be said to leak less often" in found.reason


def test_a_few_trials_leave_it_open_and_tell_how_many_would_do() -> None:
    claim = parse("tensorflow 62% lower than torch")
    found = hold(claim, leaks(0, 5), leaks(4, 5))
    assert found.answer == "undecided"
    assert found.reason.endswith("so 62 % lower may be true or not.")
    assert found.further is not None
    times = -(-(5 + found.further) // 5)
    assert hold(claim, leaks(0, 5 * times), leaks(4 * times, 5 * times)).answer == "supported"


def test_a_claim_about_amounts_is_held_against_their_ratio() -> None:
    draw = np.random.default_rng(0).normal
    block = np.exp(draw(0, 1, 12))
    slow, fast = (side(factor * block * np.exp(draw(0, 0.02, 12)), "throughput") for factor in (0.8, 1.0))
    answers = [hold(parse(f"a {percent}% slower than b"), slow, fast).answer for percent in (10, 20, 30)]
    assert answers == ["supported", "undecided", "refuted"]
    assert hold(parse("a 10% faster than b"), fast, slow).answer == "supported"
    assert hold(parse("a faster than b"), slow, fast).answer == "refuted"


def test_growth_can_only_be_a_percentage_of_what_surely_grows() -> None:
    growing, still = side([9e6, 11e6, 10e6, 10e6], "growth_per_hour"), side([1e3, -2e3, 4e3, 0], "growth_per_hour")
    assert hold(parse("a growth 50% lower than b"), still, growing).answer == "supported"
    assert hold(parse("a growth 90% higher than b"), still, growing).answer == "refuted"
    found = hold(parse("a growth 50% higher than b"), growing, still)
    assert (found.answer, found.further) == ("undecided", None)
    assert "b may not grow at all" in found.reason
    assert hold(parse("a growth higher than b"), growing, still).answer == "supported"


def test_one_pair_decides_nothing() -> None:
    found = hold(parse("a 5% faster than b"), side([100.0], "throughput"), side([1.0], "throughput"))
    assert (found.answer, found.further) == ("undecided", None)
    assert "one pair of trials gives no interval" in found.reason


def test_what_no_trial_tells_is_said() -> None:
    found = hold(parse("a latency p99 5% lower than b"), leaks(0, 3), leaks(0, 3))
    assert (found.answer, found.further) == ("undecided", None)
    assert found.reason == "No two trials of both sides that may be compared tell the latency p99."
