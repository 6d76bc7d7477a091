"""What NumPy computes in float64 is what PyTorch and TensorFlow compute, and a model that is another shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests import ways
from tests.installed import need
from workloads import catalog, executions, sources
from workloads.answers import apart
from workloads.networks.architecture import NetworkSizes
from workloads.networks.reference import ReferenceNetwork
from workloads.protocol.contract import Setup
from workloads.protocol.order import StreamSpec, TrialSpec
from workloads.worker.golden import AnswerCheck, golden_of

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

SPEC = TrialSpec("recurrent", "torch", stream=StreamSpec("synthetic", {"clip_frames": [6]}))
SUMS = 2e-6
"""Largest difference from sums in float32, as a part of the largest value: 16 of its roundings of 2**-23 each."""
EAGER = [("torch", "eager"), ("tensorflow", "eager")]


def built(architecture: str, framework: str, execution: str = "eager", mode: str = "infer", **options: Any) -> Any:
    setup = Setup(architecture, framework, mode, execution, 5, 3)
    return catalog.load(architecture).build(setup, catalog.options_of(architecture, options))


def checked(workload: Any) -> AnswerCheck:
    golden = golden_of(workload, SPEC)
    assert golden is not None
    assert golden.check is not None
    return golden.check


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
@pytest.mark.parametrize(("framework", "execution"), EAGER)
@pytest.mark.parametrize("batch", [1, 3])
def test_frameworks_compute_what_the_reference_does(
    architecture: str, framework: str, execution: str, batch: int
) -> None:
    for mode in ("infer", "train"):
        assert checked(built(architecture, framework, execution, mode, batch=batch)).difference < SUMS


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
@pytest.mark.parametrize(("framework", "execution"), EAGER)
def test_every_frame_and_lane_of_an_answer_is_where_the_reference_has_it(
    architecture: str, framework: str, execution: str
) -> None:
    workload = built(architecture, framework, execution, batch=3)
    clip = sources.golden(SPEC.stream, SPEC.seed)
    answer = workload.replay(clip)
    known = ReferenceNetwork(architecture, 3, NetworkSizes(batch=3), 5).answer(clip.frames, [0, 1, 2]).values
    assert apart(answer, known) < SUMS


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
@pytest.mark.parametrize(("framework", "execution"), EAGER)
def test_the_state_is_carried_from_clip_to_clip_as_the_reference_carries_it(
    architecture: str, framework: str, execution: str
) -> None:
    workload, stream = built(architecture, framework, execution), sources.open_source(SPEC.stream, SPEC.seed)
    network, state = ReferenceNetwork(architecture, 3, NetworkSizes(), 5), None
    for _ in range(4):
        clip = stream.next()
        workload.step(clip)
        known = network.answer(clip.frames, [0], state)
        state = known.state
        assert apart(np.asarray(workload.output), known.values, known.scale) < SUMS


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
@pytest.mark.parametrize(("framework", "execution"), EAGER)
def test_a_coarser_precision_is_coarser_and_within_its_tolerance(
    architecture: str, framework: str, execution: str
) -> None:
    check = checked(built(architecture, framework, execution, precision="bfloat16"))
    assert 100 * SUMS < check.difference < check.tolerance
    assert check.right


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
@pytest.mark.parametrize(("framework", "execution"), EAGER)
def test_an_altered_weight_is_a_wrong_answer(architecture: str, framework: str, execution: str) -> None:
    workload = built(architecture, framework, execution)
    workload.alter_head(lambda weights: weights * np.float32(1.001))
    assert not checked(workload).right


# Of each the few values of the clip are near 0, where the terms that they are sums of are not.
@pytest.mark.parametrize(("architecture", "seed"), [("recurrent", 25), ("recurrent", 176), ("transformer", 70)])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_right_answer_whose_values_are_small_by_chance_is_right(architecture: str, seed: int, precision: str) -> None:
    stream = StreamSpec("synthetic", {"clip_frames": [2], "height": 32, "width": 32, "channels": 1})
    setup = Setup(architecture, *ways.REFERENCE[:1], "infer", "eager", seed, 1)
    workload = catalog.load(architecture).build(setup, catalog.options_of(architecture, {"precision": precision}))
    golden = golden_of(workload, TrialSpec(architecture, "torch", seed=seed, stream=stream))
    assert golden is not None
    assert golden.check is not None
    assert golden.check.difference < golden.check.tolerance / 2


@pytest.mark.parametrize(("seed", "size", "frames", "channels"), [(0, 32, 4, 3), (2, 16, 2, 1)])
def test_a_right_answer_in_int8_is_right_for_a_state_of_a_few_steps(
    seed: int, size: int, frames: int, channels: int
) -> None:
    need("tensorflow", "ai_edge_litert")
    options = {"clip_frames": [frames], "height": size, "width": size, "channels": channels}
    spec = TrialSpec("recurrent", "tensorflow", seed=seed, stream=StreamSpec("synthetic", options))
    stream = {"source": "synthetic", "stream": sources.filled(spec.stream)}
    setup = Setup("recurrent", "tensorflow", "infer", "litert_int8", seed, channels, **stream)
    golden = golden_of(catalog.load("recurrent").build(setup, catalog.options_of("recurrent", {})), spec)
    assert golden is not None
    assert golden.check is not None
    assert golden.check.right, golden.check.said


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_other_weights_are_far_beyond_every_tolerance(architecture: str, precision: str) -> None:
    workload = built(architecture, *ways.REFERENCE, precision=precision)
    clip = sources.golden(SPEC.stream, SPEC.seed)
    answer = workload.replay(clip)
    for seed in range(6, 12):
        known = ReferenceNetwork(architecture, 3, NetworkSizes(), seed).answer(clip.frames, [0]).values
        assert apart(answer, known) > 0.3


@pytest.mark.parametrize("wrong", ["state", "order", "scale"])
def test_an_execution_that_computes_something_else_gives_a_wrong_answer(
    wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = executions.find(*ways.REFERENCE)
    make_step = module.make_step

    def made(network: Any, setup: Setup) -> Any:
        step = make_step(network, setup)

        def answer(frames: Any, state: Any) -> Any:
            if wrong == "order":
                frames = frames.flip(0)
            if wrong == "scale":
                frames = frames // 2
            return step.answer(frames, state + 1 if wrong == "state" else state)

        return replace(step, answer=answer)

    monkeypatch.setattr(module, "make_step", made)
    assert not checked(built("recurrent", *ways.REFERENCE)).right
