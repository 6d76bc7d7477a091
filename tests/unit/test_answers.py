"""How far one answer is from another, and how large an answer could be, from the weights alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from workloads.answers import apart
from workloads.networks import reference
from workloads.networks.architecture import NetworkSizes
from workloads.networks.reference import ReferenceNetwork
from workloads.networks.weights import Weights, initial

RIGHT = np.array([[0.5, -2.0], [1.0, 0.25]], np.float32)


def test_it_is_a_part_of_the_largest_value() -> None:
    assert apart(RIGHT + np.float32(0.5), RIGHT) == 0.25
    assert apart(RIGHT, RIGHT) == 0.0


def test_the_scale_counts_where_it_is_larger_and_only_there() -> None:
    assert apart(RIGHT + np.float32(0.5), RIGHT, scale=4.0) == 0.125
    assert apart(RIGHT + np.float32(0.5), RIGHT, scale=1.0) == 0.25


def test_beside_nothing_but_zeros_it_is_the_difference_itself() -> None:
    assert apart(np.full(3, 0.125), np.zeros(3)) == 0.125


def test_two_of_unequal_shape_are_apart_without_bound() -> None:
    assert apart(np.zeros((2, 3)), np.zeros((1, 3))) == math.inf


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_what_is_not_finite_is_within_no_tolerance(value: float, scale: float) -> None:
    other = RIGHT.copy()
    other[1, 1] = value
    assert not apart(other, RIGHT, scale) <= 1e9
    assert not apart(RIGHT, other, scale) <= 1e9
    assert not apart(other, other, scale) <= 1e9


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
@pytest.mark.parametrize("cut", [1, 3, 7])
def test_clips_in_a_row_with_the_state_carried_answer_as_one_long_clip(architecture: str, cut: int) -> None:
    # One layer: what a further one sees of a frame before the clip is made of fewer frames than in one long clip.
    sizes = NetworkSizes(stem=2, hidden=8, heads=2, layers=1, window=4, batch=2)
    frames = np.random.default_rng(cut).integers(0, 256, (8, 10, 10, 1), dtype=np.uint8)
    network = ReferenceNetwork(architecture, 1, sizes, 5)
    whole = network.answer(frames, [0, 1])
    first = network.answer(frames[:cut], [0, 1])
    second = network.answer(frames[cut:], [0, 1], first.state.astype(np.float32))
    values = np.concatenate((first.values, second.values))
    assert apart(values, whole.values, whole.scale) < 1e-5
    assert apart(second.state, whole.state) < 1e-5


def test_one_that_is_asked_for_many_answers_draws_its_weights_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def counted(seed: int, shapes: Mapping[str, tuple[int, ...]]) -> Weights:
        drawn.extend(shapes)
        return initial(seed, shapes)

    monkeypatch.setattr(reference, "initial", counted)
    frames, sizes = np.full((2, 10, 10, 1), 7, np.uint8), NetworkSizes(stem=2, hidden=8)
    answers = {}
    for keep in (False, True):
        network = ReferenceNetwork("recurrent", 1, sizes, 5, keep)
        drawn.clear()
        answers[keep] = [network.answer(frames, [0]).values for _ in range(2)]
        assert (len(drawn) == len(set(drawn))) is keep
    assert np.array_equal(answers[True], answers[False])
