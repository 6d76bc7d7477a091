"""TensorFlow.js under Node.js: every tensor is disposed of, the planted leak disposes of none; what lacks is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.installed import need
from workloads import executions
from workloads.conversion import tensorflow_js
from workloads.conversion.child import ChildError
from workloads.growth import zoo_tfjs_tensors
from workloads.protocol.contract import Clip, Setup

CLIP = Clip(np.zeros((1, 8, 8, 3), np.uint8), 0)
there = pytest.mark.skipif(bool(tensorflow_js.missing()), reason=tensorflow_js.missing())


def kept(backend: str, steps: int, **options: Any) -> list[int]:
    """How many tensors there are after each step."""
    setup = Setup("zoo_tfjs_tensors", "none", "infer", "eager", 1, 3)
    zoo = zoo_tfjs_tensors.build(setup, zoo_tfjs_tensors.Options(backend=backend, **options))
    found = []
    for _ in range(steps):
        assert zoo.step(CLIP) == 1.0, "the mean of twice 0.5"
        found.append(zoo.tensors)
    zoo.close()
    return found


@there
@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_three_tensors_a_step_are_kept_and_the_twin_keeps_three(backend: str) -> None:
    assert np.array_equal(np.diff(kept(backend, 5)), [3] * 4)
    assert set(kept(backend, 5, distinct=1)) == {3}
    assert kept(backend, 5, distinct=2) == [3, 6, 6, 6, 6]


@there
@pytest.mark.framework
@pytest.mark.usefixtures("frameworks")
@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_a_model_leaves_no_tensor_between_two_clips(tmp_path: Path, backend: str) -> None:
    need(*tensorflow_js.REQUIRES)
    from workloads import networks
    from workloads.conversion import saved_model
    from workloads.networks.architecture import NetworkSizes

    setup = Setup("recurrent", "tensorflow", "infer", "tfjs", 5, 3)
    network = networks.load("tensorflow").build("recurrent", setup, NetworkSizes(), False)
    saved_model.save(network, (2, 16, 16, 3), tmp_path / "saved")
    tensorflow_js.convert(tmp_path / "saved", tmp_path / "made")
    program = tensorflow_js.TensorFlowJsProgram(tmp_path / "made", backend)
    pictures, state = np.ones((2, 16, 16, 3), np.float32), network.first.numpy()
    counts = set()
    for _ in range(10):
        _, state = program(pictures, state)
        counts.add(program.collect())
    assert len(counts) == 1
    with pytest.raises(ChildError, match=r"TensorFlow.js \(model\): .*shape"):
        program(pictures[:, :8], state)


def test_a_converter_that_fails_is_told(tmp_path: Path) -> None:
    need(*tensorflow_js.REQUIRES)
    with pytest.raises(tensorflow_js.TensorFlowJsError, match="the converter failed with exit status 1: "):
        tensorflow_js.convert(tmp_path / "absent", tmp_path / "made")


def node(folder: Path, version: str) -> None:
    """A program of that name which says that it is this version."""
    program = folder / "node"
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)


def test_what_is_not_there_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tensorflow_js.missing() == "Node.js, 18 or newer, is not installed: `node` is not found"
    node(tmp_path, "v16.20.2")
    assert tensorflow_js.missing() == f"{tmp_path / 'node'} is v16.20.2: expected Node.js 18 or newer"
    node(tmp_path, "v18.0.0")
    monkeypatch.setenv("SOAK_ENVIRONMENTS", str(tmp_path))
    assert tensorflow_js.missing().endswith("run `soak env tfjs`")
    with pytest.raises(tensorflow_js.TensorFlowJsError, match="run `soak env tfjs`"):
        tensorflow_js.started("undisposed", "cpu")
    (tmp_path / "tfjs" / "node_modules").mkdir(parents=True)
    assert tensorflow_js.missing() == ""


CONFIG = """
[run]
duration = "5 s"
[[trial]]
{}
"""


@pytest.mark.parametrize(
    "trial",
    [
        'workload = "zoo_tfjs_tensors"',
        'workload = "recurrent"\nframework = "tensorflow"\nmode = "infer"\nexecution = "tfjs"',
    ],
    ids=["workload", "execution"],
)
def test_a_config_is_checked_for_it(tmp_path: Path, trial: str) -> None:
    if "tfjs" in trial.partition("execution")[2]:
        need(*executions.find("tensorflow", "tfjs").REQUIRES)
    config = tmp_path / "soak.toml"
    config.write_text(CONFIG.format(trial))
    environ = {**os.environ, "SOAK_ENVIRONMENTS": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-m", "soak", "check", str(config)], capture_output=True, text=True, check=False, env=environ
    )
    assert ran.returncode == 2
    assert "run `soak env tfjs`" in " ".join(ran.stderr.split()) or "Node.js" in ran.stderr
