"""The same comparison twice, with other seeds and swapped sides: nothing that one is sure of is denied by the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.comparison_again import (
    CLAIMS,
    TRUTHS,
    ComparedTruth,
    agreement,
    compared_again,
    held_again,
    swapped,
)
from monitors.comparison.claims import parse, show

MIRRORED = {"lower": "higher", "higher": "lower", "alike": "alike", "undecided": "undecided"}
answers = st.sampled_from(("lower", "higher", "alike", "undecided"))


@given(answers, answers)
def test_answers_contradict_each_other_only_where_both_are_sure(one: str, other: str) -> None:
    found = agreement(one, other)
    assert found == agreement(other, one)
    assert found == agreement(MIRRORED[one], MIRRORED[other])
    assert (found == "contradiction") == ({one, other} == {"lower", "higher"})
    assert (found == "same") == (one == other)
    assert agreement("refuted", "supported") == "contradiction"


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(TRUTHS), st.integers(2, 12))
def test_the_same_trials_with_sides_swapped_agree_in_everything(seed: int, truth: ComparedTruth, count: int) -> None:
    drawn = truth.draw(count, np.random.default_rng(seed))
    assert set(compared_again(drawn, drawn)) == {"same"}
    for claim, _ in CLAIMS:
        assert held_again(claim, drawn, drawn) == "same"


def test_the_same_comparison_with_other_seeds_does_not_contradict_itself() -> None:
    """A slice of `python -m benchmarks.comparison again`."""
    draw = np.random.default_rng(11)
    nothing, little, much = TRUTHS
    found = [kind for truth in (nothing, little) for _ in range(25)
             for kind in compared_again(truth.draw(10, draw), truth.draw(10, draw))]  # fmt: skip
    assert found.count("contradiction") == 0
    sure = [compared_again(much.draw(20, draw), much.draw(20, draw)) for _ in range(10)]
    assert sum(each == ["same"] * 3 for each in sure) >= 9
    by_claim = {claim.measure: (claim, truth) for claim, truth in CLAIMS[::3]}
    for claim, truth in by_claim.values():
        held = [held_again(claim, truth.draw(20, draw), truth.draw(20, draw)) for _ in range(10)]
        assert held.count("contradiction") == 0
        assert held.count("same") >= 8


def test_swapped_claims_say_the_same() -> None:
    assert show(swapped(parse("a leak probability 50% lower than b"))) == show(
        parse("b leak probability 100% higher than a")
    )
    claim = parse("a throughput 25% higher than b")
    assert swapped(swapped(claim)).percent == pytest.approx(25.0)
