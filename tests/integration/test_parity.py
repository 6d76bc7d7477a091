"""The same architecture from the same weights on the same stream does the same in both frameworks.

In float32 sums are taken in another order, and training carries the difference on; in a coarser precision every
operation rounds, and how often that is says how far results may be apart (`tests.rounding`).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from tests import ways
from tests.rounding import LOSS_TOLERANCE, OUTPUT_TOLERANCE, SINGLE, apart, roundings, roundings_of_training
from workloads import catalog
from workloads.inputs.synthetic import Options, open_source
from workloads.networks.architecture import NetworkSizes
from workloads.protocol.contract import Setup

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

CLIPS, FRAMES = 20, (5, 8)
OTHERS = [way for way in ways.PLAIN if way != ways.REFERENCE]


@cache
def drive(
    architecture: str, framework: str, mode: str, execution: str, seed: int = 5, **options: Any
) -> tuple[Any, Any]:
    """Outputs and values of every step; of the same workload they are the same, and computed once."""
    module = catalog.load(architecture)
    workload = module.build(Setup(architecture, framework, mode, execution, seed, 3), module.Options(**options))
    stream = open_source(Options(clip_length="set", clip_frames=FRAMES, scene_seconds=1.0), 1)
    outputs, values = [], []
    for _ in range(CLIPS):
        values.append(workload.step(stream.next()))
        outputs.append(numbers(workload.output))
    return np.concatenate(outputs), np.array(values)


def numbers(output: Any) -> Any:
    """As float32, which NumPy knows."""
    return np.asarray(output.float() if hasattr(output, "float") else output).astype(np.float32)


def rms(values: Any) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


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
@pytest.mark.parametrize(("framework", "execution"), OTHERS)
def test_batches_agree_and_their_first_lane_is_the_clip_alone(
    architecture: str, framework: str, execution: str
) -> None:
    outputs, _ = drive(architecture, "torch", "infer", "eager", batch=3)
    others, _ = drive(architecture, framework, "infer", execution, batch=3)
    assert np.abs(outputs - others).max() < OUTPUT_TOLERANCE
    alone, _ = drive(architecture, "torch", "infer", "eager")
    assert np.abs(outputs[0::3] - alone).max() < OUTPUT_TOLERANCE
    assert np.abs(outputs[1::3] - alone).max() > 10 * OUTPUT_TOLERANCE, "a shifted picture is another"
    assert np.abs(outputs[2::3] - outputs[1::3]).max() > 10 * OUTPUT_TOLERANCE
    _, losses = drive(architecture, "torch", "train", "eager", batch=3)
    _, other_losses = drive(architecture, framework, "train", execution, batch=3)
    assert np.abs(other_losses / losses - 1).max() < LOSS_TOLERANCE


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
@pytest.mark.parametrize(("framework", "execution"), OTHERS)
@pytest.mark.parametrize("batch", [1, 2])
def test_a_coarser_precision_agrees_as_far_as_it_goes(
    architecture: str, framework: str, execution: str, batch: int
) -> None:
    sizes = NetworkSizes(precision="bfloat16", batch=batch)
    options = {"precision": sizes.precision, "batch": sizes.batch}
    exact, _ = drive(architecture, "torch", "infer", "eager", batch=batch)
    bound = apart(roundings(architecture, sizes), sizes.precision) * rms(exact)
    outputs, _ = drive(architecture, "torch", "infer", "eager", **options)
    others, _ = drive(architecture, framework, "infer", execution, **options)
    for one, two in ((outputs, others), (outputs, exact), (others, exact)):
        assert rms(one - two) < bound, "it is the same model"
        assert np.abs(one - two).max() < SINGLE * bound
    # Two executions of one framework may round alike.
    assert min(rms(outputs - exact), rms(others - exact)) > bound / 100, "it is coarser"
    trained, losses = drive(architecture, "torch", "train", "eager", **options)
    _, other_losses = drive(architecture, framework, "train", execution, **options)
    count = roundings_of_training(architecture, sizes, CLIPS, max(FRAMES))
    # The root of a loss is how far outputs are from what is wanted: two roots differ by no more than the outputs do.
    assert np.abs(np.sqrt(other_losses) - np.sqrt(losses)).max() < apart(count, sizes.precision) * rms(trained)
    assert losses[-5:].mean() < 0.5 * losses[:5].mean(), "it learns"
    assert other_losses[-5:].mean() < 0.5 * other_losses[:5].mean()


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
    clip = open_source(Options(), 1).next()
    workload.step(clip)
    first = np.asarray(workload.output)
    workload.step(clip)
    assert np.abs(np.asarray(workload.output) - first).max() > 1e-4


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
def test_a_bounded_set_of_shapes_is_traced_a_bounded_number_of_times(architecture: str) -> None:
    module = catalog.load(architecture)
    workload = module.build(Setup(architecture, "tensorflow", "infer", "graph", 5, 3), module.Options())
    options = Options(
        clip_length="set", clip_frames=(3, 5), resolutions=((16, 16), (24, 32)), resolution_every=2
    )  # fmt: skip
    stream = open_source(options, 1)
    for _ in range(40):
        workload.step(stream.next())
    assert stream.doses()["distinct_shapes"] == 4
    assert workload.counters() == {"traces": 4}
