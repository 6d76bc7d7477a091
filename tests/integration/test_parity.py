"""The same architecture from the same weights on the same stream does the same in both frameworks.

Tolerances are of float32: sums are taken in another order, and training carries the difference on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from workloads import catalog
from workloads.stream import open_stream
from workloads.trial import StreamSpec
from workloads.workload import Setup

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

OUTPUT_TOLERANCE = 2e-5
"""Largest difference of an output, which is of the order of 0.1 to 1."""
LOSS_TOLERANCE = 2e-4
"""Largest relative difference of a loss within the first 20 training steps."""
CLIPS = 20
OTHERS = [("tensorflow", "eager"), ("tensorflow", "graph")]


def drive(architecture: str, framework: str, mode: str, execution: str, seed: int = 5) -> tuple[Any, Any]:
    """Outputs and values of every step."""
    module = catalog.load(architecture)
    workload = module.build(Setup(architecture, framework, mode, execution, seed, 3), module.Options())
    stream = open_stream(StreamSpec(clip_length="set", clip_frames=(5, 8), scene_seconds=1.0), 1)
    outputs, values = [], []
    for _ in range(CLIPS):
        values.append(workload.step(stream.next_clip()))
        outputs.append(np.asarray(workload.output))
    return np.concatenate(outputs), np.array(values)


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
@pytest.mark.parametrize(("framework", "execution"), OTHERS)
def test_outputs_agree_with_the_state_carried(architecture: str, framework: str, execution: str) -> None:
    outputs, means = drive(architecture, "torch", "infer", "eager")
    others, other_means = drive(architecture, framework, "infer", execution)
    assert outputs.shape == others.shape
    assert np.abs(outputs - others).max() < OUTPUT_TOLERANCE
    assert np.abs(means - other_means).max() < OUTPUT_TOLERANCE


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
@pytest.mark.parametrize(("framework", "execution"), OTHERS)
def test_losses_agree_over_training(architecture: str, framework: str, execution: str) -> None:
    _, losses = drive(architecture, "torch", "train", "eager")
    _, others = drive(architecture, framework, "train", execution)
    assert np.abs(others / losses - 1).max() < LOSS_TOLERANCE
    assert losses[-5:].mean() < 0.5 * losses[:5].mean(), "it learns"


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
def test_other_weights_differ_by_far_more_than_the_tolerance(architecture: str) -> None:
    outputs, _ = drive(architecture, "torch", "infer", "eager")
    others, _ = drive(architecture, "torch", "infer", "eager", seed=6)
    assert np.abs(outputs - others).max() > 1000 * OUTPUT_TOLERANCE


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_the_state_is_carried_from_clip_to_clip(architecture: str, framework: str) -> None:
    module = catalog.load(architecture)
    workload = module.build(Setup(architecture, framework, "infer", "eager", 5, 3), module.Options())
    clip = open_stream(StreamSpec(), 1).next_clip()
    workload.step(clip)
    first = np.asarray(workload.output)
    workload.step(clip)
    assert np.abs(np.asarray(workload.output) - first).max() > 1e-4


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
def test_a_bounded_set_of_shapes_is_traced_a_bounded_number_of_times(architecture: str) -> None:
    module = catalog.load(architecture)
    workload = module.build(Setup(architecture, "tensorflow", "infer", "graph", 5, 3), module.Options())
    spec = StreamSpec(
        clip_length="set", clip_frames=(3, 5), resolutions=((16, 16), (24, 32)), resolution_every=2
    )  # fmt: skip
    stream = open_stream(spec, 1)
    for _ in range(40):
        workload.step(stream.next_clip())
    assert stream.doses()["distinct_shapes"] == 4
    assert workload.counters() == {"traces": 4}
