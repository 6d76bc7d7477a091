"""A weight that is damaged while an execution runs shows in its answers, wherever it holds weights of its own."""

from __future__ import annotations

import numpy as np
import pytest

from tests import ways
from tests.installed import need
from workloads import catalog, executions, sources
from workloads.answers import apart
from workloads.needs import needs_of
from workloads.protocol.contract import Setup
from workloads.protocol.order import StreamSpec
from workloads.worker.golden import Golden

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

STREAM = StreamSpec("synthetic", {"clip_frames": [4], "height": 16, "width": 16})
FURTHER = {("torch", "tensorflow_litert"), ("torch", "tensorflow_litert_int8"), ("tensorflow", "tfjs_wasm")}
"""What is made of another that is tried too, by converting that once more, which takes most of a minute."""


@pytest.mark.parametrize(
    ("framework", "execution"),
    [pytest.param(*way, marks=[pytest.mark.slow] if way in FURTHER else []) for way in (*ways.PLAIN, *ways.made())],
)
def test_what_happens_to_a_weight_shows_in_the_answers_that_follow(framework: str, execution: str) -> None:
    module = executions.find(framework, execution)
    need(*module.REQUIRES)
    if lacks := list(needs_of(module).lacks()):
        pytest.skip(str(lacks[0]))
    setup = Setup("recurrent", framework, "infer", execution, 5, 3, source="synthetic", stream=sources.filled(STREAM))
    workload = catalog.load("fault_bit_flip").build(setup, catalog.options_of("fault_bit_flip", {"after_steps": 2}))
    clip = sources.golden(STREAM, 5)
    golden = Golden(workload, clip, 1.0)
    workload.step(clip)
    assert golden.changed(1) == ""
    before = workload.replay(clip)
    workload.step(clip)
    assert golden.changed(2) != ""
    assert apart(workload.replay(clip), before) > 0.1
    assert np.isfinite(workload.replay(clip)).all()
    workload.close()
