"""Every execution that exports, converts or compiles answers as PyTorch does in eager mode, to its tolerance."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from tests import ways
from tests.installed import need
from tests.rounding import SINGLE, apart, roundings
from workloads import answers, catalog, executions, sources
from workloads.needs import needs_of
from workloads.networks.architecture import NetworkSizes
from workloads.protocol.contract import Setup
from workloads.protocol.order import StreamSpec

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

CLIPS = 4
STREAM = StreamSpec("synthetic", {"clip_length": "set", "clip_frames": [4], "height": 32, "width": 32})
"""One shape: each costs a compilation."""
LEARNED = 2e-4
"""Largest relative difference of a loss within the first steps of training, as a multiple of 1 / `TOLERANCE`."""


def built(architecture: str, framework: str, execution: str, mode: str, **options: Any) -> Any:
    module = catalog.load(architecture)
    # With its stream, as in a trial: int8 learns its ranges from it.
    setup = Setup(architecture, framework, mode, execution, 5, 3, stream=sources.filled(STREAM), source=STREAM.source)
    return module.build(setup, module.Options(**options))


@cache
def driven(architecture: str, framework: str, execution: str, mode: str, **options: Any) -> tuple[Any, Any]:
    """Outputs and values of every step, the state carried; and the golden clip is answered alike before and after."""
    workload = built(architecture, framework, execution, mode, **options)
    stream, golden = sources.open_source(STREAM, 1), sources.golden(STREAM, 1)
    first = workload.replay(golden)
    outputs, values = [], []
    for _ in range(CLIPS):
        values.append(workload.step(stream.next()))
        outputs.append(numbers(workload.output))
    assert answers.apart(workload.replay(golden), first) <= workload.replay_tolerance
    workload.close()
    return np.concatenate(outputs), np.array(values)


def numbers(output: Any) -> Any:
    """As float32, which NumPy knows."""
    return np.asarray(output.float() if hasattr(output, "float") else output).astype(np.float32)


def able(framework: str, execution: str) -> Any:
    """The module of an execution that can run here; otherwise the test is skipped."""
    module = executions.find(framework, execution)
    need(*module.REQUIRES)
    if lacks := list(needs_of(module).lacks()):
        pytest.skip(str(lacks[0]))
    return module


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
@pytest.mark.parametrize(("framework", "execution"), ways.made())
def test_it_answers_as_pytorch_does(architecture: str, framework: str, execution: str) -> None:
    module = able(framework, execution)
    for mode in module.MODES:
        wanted, wanted_values = driven(architecture, *ways.REFERENCE, mode)
        outputs, values = driven(architecture, framework, execution, mode)
        assert outputs.shape == wanted.shape
        tolerance = executions.tolerance_of(module)
        assert np.abs(outputs - wanted).max() < tolerance * np.abs(wanted).max()
        if mode == "train":
            assert np.abs(values / wanted_values - 1).max() < LEARNED * tolerance / executions.TOLERANCE
        else:
            assert np.abs(values - wanted_values).max() < tolerance * np.abs(wanted).max()


@pytest.mark.parametrize(("framework", "execution"), ways.whole())
def test_lanes_and_a_coarser_precision_agree_as_far_as_they_go(framework: str, execution: str) -> None:
    able(framework, execution)
    options: dict[str, Any] = {"batch": 2, "precision": "bfloat16"}
    exact, _ = driven("recurrent", *ways.REFERENCE, "infer", batch=2)
    bound = apart(roundings("recurrent", NetworkSizes(batch=2)), "bfloat16") * rms(exact)
    outputs, _ = driven("recurrent", framework, execution, "infer", **options)
    assert outputs.shape == exact.shape
    assert bound / 100 < rms(outputs - exact) < bound, "it is coarser, and the same model"
    assert np.abs(outputs - exact).max() < SINGLE * bound


def rms(values: Any) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
