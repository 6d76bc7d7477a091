"""Conversions held against one another: what does not fit is refused, and nothing more is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from workloads.conversion.hybrid import HybridOptions, Joint, JointError, Stage, joints
from workloads.options import OptionError

CLIPS = [np.full((2, 3), value, np.float32) for value in (1.0, 2.0, 4.0)]
FIRST = np.zeros(3, np.float32)


def program(scale: float = 1.0, state_scale: float = 1.0, rows: int = 2) -> Any:
    """Sums what came before; the largest value that it gives is 7."""

    def run(clip: Any, state: Any) -> tuple[Any, Any]:
        after = state + clip[0]
        return after * np.ones((rows, 1), np.float32) * np.float32(scale), after * np.float32(state_scale)

    return run


def test_what_fits_is_told_with_its_difference_and_what_comes_first_is_held_against_nothing() -> None:
    stages = [Stage("torch", program()), Stage("onnx", program(1.0625), 0.1), Stage("int8", program(1.0625), 0.0)]
    found = list(joints(2, stages, CLIPS, FIRST))
    # 7 · 0.0625 of 7, which binary fractions hold exactly; then what is the same, against the stage before.
    assert found == [Joint(2, "torch", "onnx", 0.0625, 0.1), Joint(2, "onnx", "int8", 0.0, 0.0)]


def test_values_that_are_small_by_chance_are_held_against_how_large_they_could_be() -> None:
    def near(value: float) -> list[Stage]:
        def run(clip: Any, state: Any) -> tuple[Any, Any]:
            return np.full((2, 1), value, np.float32), state

        return [Stage("torch", lambda clip, state: (np.zeros((2, 1), np.float32), state)), Stage("onnx", run)]

    (found,) = joints(1, near(2.0**-20), CLIPS, FIRST, scale=0.25)
    assert found.difference == 2.0**-18
    with pytest.raises(JointError):
        list(joints(1, near(2.0**-10), CLIPS, FIRST, scale=0.25))


@pytest.mark.parametrize(
    "wrong",
    [program(1.01), program(state_scale=1.01), program(rows=1), program(float("nan")), program(float("inf"))],
    ids=["output", "state", "shape", "nan", "inf"],
)
def test_one_that_does_not_fit_is_refused_and_the_next_is_never_made(wrong: Any) -> None:
    made = []

    def stages() -> Iterator[Stage]:
        for stage in (Stage("torch", program()), Stage("onnx", program()), Stage("tensorflow", wrong)):
            yield stage
            made.append(stage.name)

    told = []
    with pytest.raises(JointError, match=r"version 1, onnx → tensorflow: differs by .* tolerance 2e-05"):
        told.extend(joint.target for joint in joints(1, stages(), CLIPS, FIRST))
    assert made == ["torch", "onnx"]


def test_one_that_forgets_its_state_is_refused_although_its_first_answer_fits() -> None:
    def forgets(clip: Any, state: Any) -> tuple[Any, Any]:
        return program()(clip, FIRST)

    assert list(joints(1, [Stage("torch", program()), Stage("onnx", forgets)], CLIPS[:1], FIRST))
    with pytest.raises(JointError):
        list(joints(1, [Stage("torch", program()), Stage("onnx", forgets)], CLIPS, FIRST))


def test_options_that_nothing_can_be_made_of_are_refused() -> None:
    with pytest.raises(OptionError, match="wrong_after"):
        HybridOptions(wrong_after="litert")
    with pytest.raises(OptionError, match="frames"):
        HybridOptions(frames=0)
