"""Programs made of a model of PyTorch: they end, say why they fail, and show damage to the weights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests import ways
from tests.installed import need
from tests.patience import wait_for
from workloads import catalog, executions, sources
from workloads.protocol.contract import Setup
from workloads.protocol.order import StreamSpec

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

STREAM = StreamSpec("synthetic", {"clip_frames": [4], "height": 32, "width": 32})
"""As in the test of parity: what is compiled there is not compiled again."""
WITH_PROCESSES = ("aotinductor_cpp", "data_loader")
OURS = ("torchscript", "compile", "export", "aotinductor", *WITH_PROCESSES)


def built(execution: str) -> Any:
    need("torch")
    module = catalog.load("recurrent")
    return module.build(Setup("recurrent", "torch", "infer", execution, 5, 3), module.Options())


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.fixture
def clip() -> Iterator[Any]:
    stream = sources.open_source(STREAM, 1)
    yield stream.next()
    stream.close()


@pytest.mark.parametrize("execution", OURS)
def test_what_happens_to_the_weights_shows_in_its_answers(execution: str, clip: Any) -> None:
    workload = built(execution)
    before = workload.replay(clip)
    workload.alter_head(lambda weights: weights + 1)
    after = workload.replay(clip)
    workload.close()
    wanted = built("eager")
    wanted.alter_head(lambda weights: weights + 1)
    answer = wanted.replay(clip)
    tolerance = executions.tolerance_of(executions.find("torch", execution)) * np.abs(answer).max()
    assert np.abs(after - answer).max() < tolerance
    assert np.abs(after - before).max() > 100 * tolerance


@pytest.mark.parametrize("execution", ["aotinductor", "aotinductor_cpp"])
def test_a_package_is_for_pictures_of_one_size(execution: str) -> None:
    workload, wanted = built(execution), built("eager")
    tolerance = executions.tolerance_of(executions.find("torch", execution))
    for size in (16, 24):
        spec = StreamSpec("synthetic", {"clip_frames": [2], "height": size, "width": size})
        clip = sources.golden(spec, 1)
        answer = wanted.replay(clip)
        assert np.abs(workload.replay(clip) - answer).max() < tolerance * np.abs(answer).max()
    workload.close()


@pytest.mark.parametrize("execution", WITH_PROCESSES)
def test_its_process_ends_when_it_is_closed(execution: str, clip: Any) -> None:
    before = children()
    workload = built(execution)
    workload.step(clip)
    started = children() - before
    assert started
    workload.close()
    wait_for(lambda: not started & {pid for pid in children() if psutil.Process(pid).status() != "zombie"})


def test_the_program_says_why_it_cannot_run_a_package(tmp_path: Path) -> None:
    need("torch")
    import torch

    from workloads.conversion.aoti_program import AotiProgram

    program = AotiProgram(1)
    nothing = tmp_path / "nothing.pt2"
    nothing.write_bytes(b"no archive")
    with pytest.raises(RuntimeError, match="the C\\+\\+ program says: "):
        program.run(nothing, {}, [torch.zeros(1)])
    # It goes on after that, until it is killed.
    with pytest.raises(RuntimeError, match="the C\\+\\+ program says: "):
        program.run(nothing, {}, [torch.zeros(1)])
    os.kill(program.pid, 9)
    with pytest.raises(RuntimeError, match="the C\\+\\+ program ended with code -9"):
        program.run(nothing, {}, [torch.zeros(1)])
    program.close()


def test_a_tensor_of_a_compiler_has_a_shape_and_no_memory() -> None:
    need("torch")
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    from workloads.frameworks import torch as runtime

    with FakeTensorMode():
        fake = torch.ones(4, 5)
    name, size, place = runtime.tensor_facts(fake)
    assert "4×5" in name
    assert (size, place) == (0.0, None)


def test_those_of_this_file_are_held_to_parity() -> None:
    known = {name for framework, name in (*ways.PLAIN, *ways.made()) if framework == "torch"}
    assert set(OURS) <= known
