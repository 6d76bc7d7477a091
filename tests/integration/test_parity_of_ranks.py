"""Executions of several processes compute what one process computes that averages their gradients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soak.engine import loopback
from soak.plan import config
from soak.plan.member import PORT, Member
from soak.plan.plan import make_plan
from tests import ways
from tests.installed import need
from tests.loopback import is_open
from tests.patience import PATIENCE, wait_for
from workloads import catalog, executions, networks, sources
from workloads.networks.architecture import NetworkSizes
from workloads.protocol.contract import Setup
from workloads.protocol.order import StreamSpec

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

CLIPS = 4
OPTIONS = {"clip_length": "set", "clip_frames": [4], "height": 32, "width": 32}
STREAM = StreamSpec("synthetic", OPTIONS)
LEARNED = 2e-4
"""Largest relative difference of a loss within the first steps of training."""
RANKED = [way for way in networks.ways() if executions.find(*way).TOPOLOGY.ranks > 1]
PEERS = [way for way in RANKED if not executions.find(*way).TOPOLOGY.roles]
"""Those of which every process steps."""
STEPPING = """
import json, os, sys
import numpy as np
architecture, framework, execution, clips, apart, out = sys.argv[1:]
from workloads import catalog, frameworks, sources
from workloads.protocol.contract import Setup
from workloads.protocol.order import StreamSpec
frameworks.load(framework).prepare(1, 5)
rank = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
module = catalog.load(architecture)
workload = module.build(Setup(architecture, framework, "train", execution, 5, 3), module.Options())
stream = sources.open_source(StreamSpec("synthetic", json.loads(os.environ["STREAM"])), 1 + rank * int(apart))
outputs, values = [], []
for _ in range(int(clips)):
    values.append(workload.step(stream.next()))
    outputs.append(np.asarray(workload.output))
model = workload._network.model
weights = model.parameters() if framework == "torch" else model.trainable_variables
flat = np.concatenate([w.detach().numpy().ravel() if framework == "torch" else w.numpy().ravel() for w in weights])
np.savez(out, outputs=np.concatenate(outputs), values=values, weights=flat, **workload.counters())
sys.stdout.flush()
os._exit(0)
"""


def processes(folder: Path, framework: str, execution: str) -> Sequence[Member]:
    """The members of such a trial, with their ports."""
    path = folder / "soak.toml"
    path.write_text(
        f'[[trial]]\nworkload = "recurrent"\nframework = "{framework}"\nmode = "train"\nexecution = "{execution}"\n'
        "steps = 4\n"
    )
    (trial,) = make_plan(config.load(path))
    return trial.placed((), lambda devices: {}, loopback.choose(trial.members)).members


def trained(folder: Path, architecture: str, framework: str, execution: str, apart: bool) -> list[Any]:
    """What each process that steps has computed. apart: whether each of them sees other clips."""
    started, steps = [], []
    for number, member in enumerate(processes(folder, framework, execution)):
        words = (architecture, framework, execution, str(CLIPS), str(int(apart)), str(folder / f"{number}.npz"))
        command = list(member.argv) or [sys.executable, "-c", STEPPING, *words]
        if member.spec is not None:
            # The chief of a cluster comes last, once all that it drives listen.
            for server in started:
                wait_for(lambda port=server[1]: is_open(port))
        process = subprocess.Popen(command, env={**os.environ, **member.env, "STREAM": json.dumps(OPTIONS)})
        if member.spec is not None:
            steps.append((process, folder / f"{number}.npz"))
        elif member.ready == PORT:
            started.append((process, member.port))
    try:
        for process, _ in steps:
            assert process.wait(PATIENCE) == 0
    finally:
        for process in [one for one, _ in (*started, *steps)]:
            process.kill()
            process.wait()
    return [np.load(path) for _, path in steps]


@cache
def averaged(architecture: str, ranks: int) -> tuple[list[Any], list[Any]]:
    """One process of PyTorch with the clips of all ranks, their losses averaged: outputs and losses of each."""
    sizes, first = NetworkSizes(), Setup(architecture, "torch", "train", executions.DEFAULT, 5, 3)
    network: Any = networks.load("torch").build(architecture, first, sizes, False)
    streams = [sources.open_source(STREAM, 1 + rank) for rank in range(ranks)]
    states, outputs, values = [network.first] * ranks, [[] for _ in streams], [[] for _ in streams]
    for _ in range(CLIPS):
        network.clear_gradients()
        losses = []
        for rank, stream in enumerate(streams):
            pictures = network.pictures(network.tensor(stream.next()))
            output, state = network.forward(pictures, states[rank])
            losses.append(network.loss(output, pictures))
            states[rank] = state.detach()
            outputs[rank].append(network.numbers(output.detach()))
            values[rank].append(float(losses[-1].detach()))
        network.update(sum(losses) / ranks)
    return [np.concatenate(each) for each in outputs], [np.array(each) for each in values]


@cache
def alone(architecture: str) -> tuple[Any, Any]:
    """PyTorch in eager mode: outputs and losses."""
    module = catalog.load(architecture)
    workload = module.build(Setup(architecture, "torch", "train", executions.DEFAULT, 5, 3), module.Options())
    stream = sources.open_source(STREAM, 1)
    outputs, values = [], []
    for _ in range(CLIPS):
        values.append(workload.step(stream.next()))
        outputs.append(np.asarray(workload.output))
    return np.concatenate(outputs), np.array(values)


def agrees(found: Any, outputs: Any, values: Any, way: ways.Way) -> None:
    tolerance = executions.tolerance_of(executions.find(*way))
    assert found["outputs"].shape == outputs.shape
    assert np.abs(found["outputs"] - outputs).max() < tolerance * np.abs(outputs).max()
    assert np.abs(found["values"] / values - 1).max() < LEARNED * tolerance / executions.TOLERANCE


@pytest.mark.parametrize(("framework", "execution"), RANKED)
def test_with_the_same_clips_each_computes_what_one_process_does(
    tmp_path: Path, framework: str, execution: str
) -> None:
    need(*executions.find(framework, execution).REQUIRES)
    found = trained(tmp_path, "transformer", framework, execution, apart=False)
    for each in found:
        agrees(each, *alone("transformer"), (framework, execution))
        assert framework == "torch" or each["traces"] == 1
        assert np.array_equal(each["weights"], found[0]["weights"])


@pytest.mark.parametrize(("framework", "execution"), PEERS)
def test_with_clips_of_its_own_each_learns_from_those_of_all(tmp_path: Path, framework: str, execution: str) -> None:
    need(*executions.find(framework, execution).REQUIRES)
    found = trained(tmp_path, "recurrent", framework, execution, apart=True)
    outputs, values = averaged("recurrent", len(found))
    assert np.abs(values[0] - values[1]).max() > LEARNED, "the clips are alike"
    for rank, each in enumerate(found):
        agrees(each, outputs[rank], values[rank], (framework, execution))
        assert np.array_equal(each["weights"], found[0]["weights"]), "their weights are apart"
        assert each["all_reduces"] == CLIPS
