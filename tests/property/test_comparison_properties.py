"""Whatever is compared: swapped sides mirror, units and the order of trials change nothing, more trials tell more."""

from __future__ import annotations

import contextlib
import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitors.comparison.claims import hold, parse, show
from monitors.comparison.measures import MEASURES, named
from monitors.comparison.model import Claim, Difference, Estimate, Measured
from monitors.comparison.statistics import compare

NAMES = ("leak_probability", "growth_per_hour", "steady_memory")
COMPARED = [named(name) for name in NAMES]
MIRRORED = {"lower": "higher", "higher": "lower", "alike": "alike", "undecided": "undecided"}

trials = st.lists(
    st.tuples(
        st.sampled_from(("g", "h")),
        st.integers(0, 5),
        st.floats(0.001, 0.999),
        st.floats(-1e8, 1e8),
        st.floats(1, 1e12),
    ),
    min_size=1,
    max_size=8,
)


def side(rows: list[tuple[str, int, float, float, float]], unit: float = 1.0) -> list[Measured]:
    return [
        Measured(group, str(pair), dict(zip(NAMES, (p, change, amount * unit), strict=True)), {"growth_per_hour": 1e6})
        for group, pair, p, change, amount in rows
    ]


def told(first: list[Measured], second: list[Measured]) -> list[Difference]:
    return compare(first, second, COMPARED, ask_further=False)


def close(value: float | None, other: float | None) -> bool:
    if value is None or other is None:
        return value is other
    return math.isclose(value, other, rel_tol=1e-9, abs_tol=1e-12 * max(1.0, abs(value)))


def negated(estimate: Estimate) -> tuple[float | None, ...]:
    return tuple(None if x is None else -x for x in (estimate.value, estimate.high, estimate.low))


def are_inverse(one: Estimate, other: Estimate) -> bool:
    """Whether the one ratio is 1 / the other, as far as -1 and a tiny bit can tell, and so are their ends."""
    for x, y in zip(ends(one), (other.value, other.high, other.low), strict=True):
        if x is None or y is None:
            if x is not y:
                return False
        elif min(1 + x, 1 + y) > 1e-6 and not math.isclose((1 + x) * (1 + y), 1, rel_tol=1e-6):
            return False
    return True


def ends(estimate: Estimate) -> tuple[float | None, ...]:
    return estimate.value, estimate.low, estimate.high


@settings(max_examples=15, deadline=None)
@given(trials, trials)
def test_swapped_sides_give_the_mirrored_answer(one: list, other: list) -> None:  # type: ignore[type-arg]
    for found, swapped in zip(told(side(one), side(other)), told(side(other), side(one)), strict=True):
        assert (found.measure, found.group, found.pairs) == (swapped.measure, swapped.group, swapped.pairs)
        assert (found.first, found.second, found.trials) == (swapped.second, swapped.first, swapped.trials[::-1])
        assert ends(found.absolute) == negated(swapped.absolute)
        assert (found.p, found.adjusted_p) == (swapped.p, swapped.adjusted_p)
        assert found.answer == MIRRORED[swapped.answer]
        if found.relative and swapped.relative and named(found.measure).kind != "change":
            assert are_inverse(found.relative, swapped.relative)


@settings(max_examples=15, deadline=None)
@given(trials, trials, st.floats(1e-6, 1e6), st.randoms(use_true_random=False))
def test_neither_units_nor_the_order_of_trials_change_an_answer(
    one: list,
    other: list,
    unit: float,
    shuffled: random.Random,  # type: ignore[type-arg]
) -> None:
    plain = told(side(one), side(other))
    mixed = side(one), side(other)
    for each in mixed:
        shuffled.shuffle(each)
    assert told(*mixed) == plain
    for found, scaled in zip(plain, told(side(one, unit), side(other, unit)), strict=True):
        assert close(found.p, scaled.p)
        assert (found.answer, found.relative is None) == (scaled.answer, scaled.relative is None)
        if found.relative and scaled.relative:
            assert all(map(close, ends(found.relative), ends(scaled.relative)))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.floats(0.001, 0.999), st.floats(0.001, 0.999), st.floats(1, 1e3), st.floats(1, 1e3)),
                min_size=2, max_size=6))  # fmt: skip
def test_more_pairs_of_the_same_narrow_every_interval(rows: list[tuple[float, float, float, float]]) -> None:
    def sides(times: int) -> tuple[list[Measured], list[Measured]]:
        both: tuple[list[Measured], list[Measured]] = ([], [])
        for i, (p, q, a, b) in enumerate(rows * times):
            for each, values in zip(both, ((p, a - 500, a), (q, b - 500, b)), strict=True):
                each.append(Measured("g", str(i), dict(zip(NAMES, values, strict=True))))
        return both

    for few, many in zip(told(*sides(1)), told(*sides(3)), strict=True):
        assert few.absolute.low is not None
        assert few.absolute.high is not None
        assert many.absolute.low is not None
        assert many.absolute.high is not None
        assert many.absolute.high - many.absolute.low <= (few.absolute.high - few.absolute.low) * (1 + 1e-9)
        assert few.absolute.low <= few.absolute.value <= few.absolute.high
        for one in (few.first, few.second, few.relative):
            assert one is None or one.low is None or one.high is None or one.low <= one.value <= one.high


@settings(max_examples=8, deadline=None)
@given(trials, trials, st.floats(0, 99), st.sampled_from(NAMES))
def test_no_claim_and_its_opposite_are_both_supported(
    one: list,
    other: list,
    percent: float,
    name: str,  # type: ignore[type-arg]
) -> None:
    lower = Claim("a", name, percent, "lower", "b")
    answers = {hold(claim, side(one), side(other)).answer for claim in (lower, replace(lower, direction="higher"))}
    assert answers != {"supported"}
    mirrored = hold(Claim("b", name, 0, "higher", "a"), side(other), side(one)).answer
    assert hold(Claim("a", name, 0, "lower", "b"), side(one), side(other)).answer == mirrored


names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20).filter(str.strip)


@settings(max_examples=60, deadline=None)
@given(
    names,
    st.sampled_from([m.name for m in MEASURES]),
    st.floats(0, 99.9) | st.integers(0, 99).map(float),
    st.sampled_from(("lower", "higher")),
    names | st.from_regex(r"[a-z]{1,9}( [0-9]{1,2}(\.[0-9]{1,3}){0,3}){0,2}", fullmatch=True),
)
def test_every_claim_is_read_back_from_its_words(
    first: str, measure: str, percent: float, direction: str, second: str
) -> None:
    claim = Claim(first, measure, percent, direction, second)  # type: ignore[arg-type]
    assert parse(show(claim)) == claim


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from(
    ["a", "torch", "2.13", "62%", "62 %", "lower", "than", "faster", "memory", "p99", '"', '"x y"', "at", "least", "is"]
), max_size=9).map(" ".join))  # fmt: skip
def test_any_text_is_a_claim_or_is_refused_with_words(text: str) -> None:
    claim = None
    with contextlib.suppress(ValueError):
        claim = parse(text)
    if claim is None:
        with pytest.raises(ValueError, match="expected"):
            parse(text)
    else:
        assert parse(show(claim)) == claim


@pytest.mark.parametrize("kind", ["claims", "intervals"])
def test_simulated_runs_of_known_truth(kind: str) -> None:
    """A slice of `python -m benchmarks.comparison`: rates within three deviations of what they may be."""
    draw, runs = np.random.default_rng(1), 80
    if kind == "claims":
        claim = Claim("a", "leak_probability", 62, "lower", "b")
        wrong = sum(hold_leaks(claim, 0.5, 0.5, draw) == "supported" for _ in range(runs))
        right = sum(hold_leaks(claim, 0.0, 1.0, draw) == "supported" for _ in range(runs // 4))
        assert right >= 0.9 * (runs // 4)
        assert wrong <= 0.025 * runs + 3 * math.sqrt(0.025 * 0.975 * runs)
        return
    held = 0
    for _ in range(runs):
        block = draw.normal(0, 1, 8)
        first, second = (np.exp(block + shift + draw.normal(0, 0.1, 8)) for shift in (-0.3, 0.0))
        found = compare(amounts(first), amounts(second), [named("throughput")], ask_further=False)[0]
        assert found.relative is not None
        assert found.relative.low is not None
        assert found.relative.high is not None
        held += found.relative.low <= math.expm1(-0.3) <= found.relative.high
    assert abs(held / runs - 0.95) <= 3 * math.sqrt(0.95 * 0.05 / runs)


def test_one_difference_among_many_is_seldom_called_where_there_is_none() -> None:
    """Uncorrected, a third of the runs would call one."""
    draw, runs = np.random.default_rng(2), 60
    measures = [m for m in MEASURES if m.kind == "amount"]
    called = weak = 0
    for _ in range(runs):
        first, second = ([Measured("g", str(i), {m.name: math.exp(draw.normal()) for m in measures}) for i in range(6)]
                         for _ in range(2))  # fmt: skip
        found = compare(first, second, measures, ask_further=False)
        called += any(d.answer in ("lower", "higher") for d in found)
        weak += any(d.p is not None and d.p <= 0.05 for d in found)
    assert called <= 0.05 * runs + 3 * math.sqrt(0.05 * 0.95 * runs)
    assert weak > 0.05 * runs + 3 * math.sqrt(0.05 * 0.95 * runs)


def amounts(values: np.ndarray) -> list[Measured]:
    return [Measured("g", str(i), {"throughput": float(value)}) for i, value in enumerate(values)]


def hold_leaks(claim: Claim, first: float, second: float, draw: np.random.Generator) -> str:
    sides = []
    for share in (first, second):
        score = draw.normal(np.where(draw.random(16) < share, 2.0, -2.0))
        sides.append(
            [Measured("g", str(i), {claim.measure: float(p)}) for i, p in enumerate(1 / (1 + np.exp(-4 * score)))]
        )
    return hold(claim, *sides).answer
