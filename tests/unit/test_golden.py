"""What the golden clip's answer may do, and what it may not."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from workloads import sources
from workloads.protocol.contract import Clip, KnownAnswer
from workloads.protocol.order import StreamSpec, TrialSpec
from workloads.worker.golden import AnswerCheck, Golden, golden_of

ANSWER = np.array([[0.5, -2.0], [1.0, 0.25]], np.float32)


class Answers:
    """A workload that gives these answers in turn, the last for ever."""

    replay_tolerance = 1e-5

    def __init__(self, *answers: npt.NDArray[np.float32]) -> None:
        self._answers = itertools.chain(answers, itertools.repeat(answers[-1]))

    def replay(self, clip: Clip) -> npt.NDArray[np.float32]:
        return next(self._answers)


def looked(*answers: npt.NDArray[np.float32]) -> str:
    workload: Any = Answers(*answers)
    golden = Golden(workload, sources.golden(StreamSpec(), 0), 1.0)
    said = golden.changed(7)
    assert golden.replays == 1
    return said


def test_the_same_answer_and_one_of_another_order_of_sums_are_no_change() -> None:
    assert looked(ANSWER) == ""
    assert looked(ANSWER, ANSWER + np.float32(1.9e-5)) == ""


def test_a_larger_difference_is_told_with_its_step_and_size() -> None:
    other = ANSWER.copy()
    other[0, 0] = 0.75
    assert looked(ANSWER, other) == (
        "the golden clip's answer changed at step 7: it differs by 0.12 of the largest value; tolerance 1e-05"
    )
    assert looked(ANSWER, ANSWER + np.float32(2.1e-5)) != ""


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_a_change_whenever_it_comes(value: float) -> None:
    other = ANSWER.copy()
    other[1, 1] = value
    assert looked(ANSWER, other) != ""
    assert looked(other, other) != ""


def test_it_is_due_an_interval_after_the_start() -> None:
    workload: Any = Answers(ANSWER)
    golden = Golden(workload, sources.golden(StreamSpec(), 0), 1e6)
    assert not golden.due(0.0)
    assert golden.due(1e15)


def test_the_clip_is_the_streams_first_and_the_stream_does_not_lose_it() -> None:
    spec = TrialSpec(
        "recurrent", "torch", seed=3, stream=StreamSpec("synthetic", {"clip_length": "set", "clip_frames": [5, 8]})
    )
    clip = sources.golden(spec.stream, spec.seed)
    stream = sources.open_source(spec.stream, spec.seed)
    assert np.array_equal(stream.next().frames, clip.frames)
    other = sources.golden(spec.stream, 4)
    assert not np.array_equal(other.frames, clip.frames)


def test_of_a_video_file_it_is_a_synthetic_clip_of_the_same_shape() -> None:
    spec = StreamSpec("file", {"path": "none.mp4", "height": 24, "width": 40, "clip_frames": [6], "channels": 1})
    assert sources.golden(spec, 0).frames.shape == (6, 24, 40, 1)


def test_there_is_none_where_nothing_can_be_replayed_or_nobody_wants_it() -> None:
    workload: Any = Answers(ANSWER)
    assert golden_of(workload, TrialSpec("recurrent", "torch", golden_interval=0.0)) is None
    nothing: Any = object()
    assert golden_of(nothing, TrialSpec("recurrent", "torch")) is None
    assert golden_of(workload, TrialSpec("recurrent", "torch")) is not None


class Known(Answers):
    """Of which the second row is known to be this."""

    def __init__(self, *answers: npt.NDArray[np.float32], known: list[float], scale: float = 0.0) -> None:
        super().__init__(*answers)
        self._known, self._scale = known, scale

    def known_answer(self, clip: Clip) -> KnownAnswer:
        return KnownAnswer(np.array([1]), np.array([self._known]), 0.1, self._scale)


def first_of(answer: npt.NDArray[np.float32], known: list[float]) -> AnswerCheck:
    workload: Any = Known(answer, known=known)
    check = Golden(workload, sources.golden(StreamSpec(), 0), 1.0).check
    assert check is not None
    return check


def test_the_first_answer_is_held_against_what_is_known_of_it() -> None:
    check = first_of(ANSWER, [1.0, 0.5])
    assert (check.difference, check.tolerance, check.right) == (0.25, 0.1, False)
    assert check.said.startswith("the first answer differs by 0.25 of the largest value from the reference")
    assert check.data == {"difference": 0.25, "tolerance": 0.1}
    assert first_of(ANSWER, [1.0, 0.3]).right


@pytest.mark.parametrize(("scale", "changed"), [(2.0, False), (0.0, True)])
def test_replays_of_an_answer_that_is_small_by_chance_are_held_against_its_scale(scale: float, changed: bool) -> None:
    small = ANSWER * np.float32(2.0**-10)
    workload: Any = Known(small, small + np.float32(1.5e-5), known=[0.0, 0.0], scale=scale)
    assert bool(Golden(workload, sources.golden(StreamSpec(), 0), 1.0).changed(1)) is changed


def test_nothing_is_said_where_the_answer_is_not_known() -> None:
    workload: Any = Answers(ANSWER)
    assert Golden(workload, sources.golden(StreamSpec(), 0), 1.0).check is None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_answer_that_is_no_number_is_wrong(value: float) -> None:
    check = first_of(np.full((2, 2), value, np.float32), [1.0, 0.25])
    assert not check.right
    assert check.data == {"tolerance": 0.1}
