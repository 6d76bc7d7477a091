"""Every execution that exports, converts or compiles answers as PyTorch does in eager mode, to its tolerance."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from tests import ways
from tests.installed import need
from workloads import catalog, executions, sources
from workloads.modules import lacks_of
from workloads.protocol.contract import Setup
from workloads.protocol.order import StreamSpec

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

CLIPS = 4
STREAM = StreamSpec("synthetic", {"clip_length": "set", "clip_frames": [4], "height": 32, "width": 32})
"""One shape: each costs a compilation."""
LEARNED = 2e-4
"""Largest relative difference of a loss within the first steps of training, as a multiple of 1 / `TOLERANCE`."""


@cache
def driven(architecture: str, framework: str, execution: str, mode: str) -> tuple[Any, Any]:
    """Outputs and values of every step, the state carried."""
    module = catalog.load(architecture)
    # With its stream, as in a trial: int8 learns its ranges from it.
    setup = Setup(architecture, framework, mode, execution, 5, 3, stream=sources.filled(STREAM), source=STREAM.source)
    workload = module.build(setup, module.Options())
    stream = sources.open_source(STREAM, 1)
    outputs, values = [], []
    for _ in range(CLIPS):
        values.append(workload.step(stream.next()))
        outputs.append(np.asarray(workload.output).astype(np.float32))
    workload.close()
    return np.concatenate(outputs), np.array(values)


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
@pytest.mark.parametrize(("framework", "execution"), ways.partial())
def test_it_answers_as_pytorch_does(architecture: str, framework: str, execution: str) -> None:
    module = executions.find(framework, execution)
    need(*module.REQUIRES)
    if lacks := lacks_of(module):
        pytest.skip(lacks)
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
