"""Every execution keeps the contract of `workloads.executions`, however it came to be there."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import ways
from tests.planting import Planted
from tests.rounding import LOSS_TOLERANCE, OUTPUT_TOLERANCE
from workloads import executions, frameworks, networks
from workloads.models import recurrent
from workloads.modules import ModuleError
from workloads.protocol.contract import Clip, Setup
from workloads.protocol.execution import Topology

NAMES = executions.names()
STEPS = 6
TINY = recurrent.Options(stem=4, hidden=8)


def test_those_that_come_with_soak_are_there_and_nothing_is_wrong_with_any() -> None:
    assert {"torch_eager", "tensorflow_eager", "tensorflow_graph", "none_eager"} <= set(NAMES)
    assert executions.problems() == ()


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is_and_what_it_needs(name: str) -> None:
    module = executions.load(name)
    assert 10 < len((module.__doc__ or "").strip().partition("\n")[0]) < 110
    assert module.NAME.isidentifier()
    assert {module.AUTHORED_IN, module.EXECUTED_BY} <= set(frameworks.names())
    assert set(module.MODES) <= {"train", "infer"}
    assert module.MODES
    assert isinstance(module.TOPOLOGY, Topology)
    assert module.TOPOLOGY.ranks >= 1
    assert set(executions.devices_of(module)) <= {"cpu", "cuda"}
    assert executions.devices_of(module)
    assert set(frameworks.load(module.EXECUTED_BY).REQUIRES) <= set(module.REQUIRES)
    assert list(inspect.signature(module.make_step).parameters) == ["network", "setup"]
    assert executions.find(module.AUTHORED_IN, module.NAME) is module


@pytest.mark.parametrize("framework", frameworks.authored())
def test_every_framework_has_the_default(framework: str) -> None:
    assert next(iter(executions.of(framework))) == executions.DEFAULT


def test_naming_and_loading_all_imports_no_framework_and_no_numpy() -> None:
    code = (
        "import sys; from workloads import executions, frameworks, networks\n"
        "for name in executions.names(): executions.describe(name)\n"
        "for name in frameworks.names(): frameworks.describe(name)\n"
        "frameworks.told(), frameworks.with_gpus(), networks.ways()\n"
        "print(sorted({'torch', 'tensorflow', 'numpy'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_an_unknown_one_names_what_there_is_and_the_nearest() -> None:
    with pytest.raises(ModuleError, match=r"expected eager or .*graph.* for tensorflow, did you mean 'graph'"):
        executions.find("tensorflow", "grahp")
    with pytest.raises(ModuleError, match=r"'graph' of torch: expected eager.* for torch"):
        executions.find("torch", "graph")


# -- the same numbers --


def clips() -> list[Clip]:
    chance = np.random.default_rng(3)
    return [Clip(chance.integers(0, 256, (4 + i % 2, 16, 16, 3), np.uint8), i) for i in range(STEPS)]


@cache
def driven(framework: str, execution: str, mode: str) -> tuple[Any, Any, Any]:
    """Outputs, values and a replay of a tiny model."""
    model = recurrent.build(Setup("recurrent", framework, mode, execution, 5, 3), TINY)
    values, outputs = [], []
    for clip in clips():
        values.append(model.step(clip))
        outputs.append(np.asarray(model.output))
    assert all(isinstance(count, float) for count in model.counters().values())
    return np.concatenate(outputs), np.array(values), model.replay(clips()[0])


@pytest.mark.framework
@pytest.mark.usefixtures("frameworks")
@pytest.mark.parametrize(("framework", "execution"), ways.PLAIN)
def test_it_computes_what_the_default_execution_computes(framework: str, execution: str) -> None:
    module = executions.find(framework, execution)
    if "cpu" not in executions.devices_of(module) or ways.lacks((framework, execution)):
        pytest.skip(f"{framework} {execution} cannot run here")
    for mode in module.MODES:
        outputs, values, replay = driven(framework, execution, mode)
        wanted, wanted_values, wanted_replay = driven(framework, executions.DEFAULT, mode)
        assert np.abs(outputs - wanted).max() < OUTPUT_TOLERANCE
        assert np.abs(replay - wanted_replay).max() < OUTPUT_TOLERANCE
        relative = np.abs(values - wanted_values) / (np.abs(wanted_values) if mode == "train" else 1.0)
        assert relative.max() < (LOSS_TOLERANCE if mode == "train" else OUTPUT_TOLERANCE)


# -- somebody else's --

EXECUTION = '''"""Counts its steps, and computes nothing that is not computed anyway."""
from workloads.executions import {like} as base
from workloads.protocol.execution import SINGLE, Step
NAME = "counted"
AUTHORED_IN = EXECUTED_BY = {framework!r}
REQUIRES = {requires!r}
MODES = ("train", "infer")
TOPOLOGY = SINGLE
def make_step(network, setup):
    made, steps = base.make_step(network, setup), []
    def run(clip, state):
        steps.append(1)
        return made.run(clip, state)
    return Step(run, made.answer, lambda: {{"counted_steps": float(len(steps))}})
'''
FRAMEWORK = '''"""Arrays: NumPy, for what needs no more."""
from array import array
TITLE = "Arrays"
REQUIRES, TOLD = {"numpy": "numpy"}, ("OPENBLAS_",)
VARIABLES = {"ARRAYS_POOL": "keeps freed arrays in a pool"}
VERSIONS, CACHES, CACHES_AT_HOME = ("arrays", "blas"), ("ARRAYS_CACHE",), (".arrays",)
LAUNCHERS = ("arrays-run",)
GPU_QUESTION = CUDA_BUILD = BLIND = ""
def prepare(threads, seed, device="cpu"): pass
def require(device): pass
def environment():
    import numpy
    return {"arrays": numpy.__version__}
def is_out_of_memory(error): return isinstance(error, MemoryError)
def device_memory(module): return {}
def ones(count, device): return array("f", [1.0]) * count
'''
NETWORK = '''"""A mean of colours, carried along and pulled towards what comes."""
import contextlib
import numpy
class Network:
    keep_graph = False
    def __init__(self, channels):
        self.weight, self.first = numpy.float32(0.5), numpy.zeros((1, channels), numpy.float32)
    def tensor(self, clip): return clip.frames
    def pictures(self, frames): return frames.astype(numpy.float32) / 255
    def forward(self, pictures, state):
        means = pictures.mean(axis=(1, 2))
        return means * self.weight, means[-1:]
    frozen = forward
    def mean(self, output): return output.mean()
    def loss(self, output, pictures): return ((output - pictures.mean(axis=(1, 2))) ** 2).mean()
    def update(self, loss, tape=None): self.weight += numpy.float32(0.1) * loss
    def on_device(self): return contextlib.nullcontext()
    def unrecorded(self): return contextlib.nullcontext()
    def numbers(self, output): return output
    def alter_head(self, change): pass
def build(architecture, setup, sizes, keep_graph): return Network(setup.channels)
'''
DRIVE = """
import numpy
from workloads import catalog, executions, networks
from workloads.protocol.contract import Clip, Setup
module = catalog.load("recurrent")
clip = Clip(numpy.full((4, 16, 16, 3), 51, numpy.uint8), 0)
for mode in ("train", "infer"):
    model = module.build(Setup("recurrent", {framework!r}, mode, "counted", 1, 3), module.Options())
    values = [model.step(clip) for _ in range(3)]
    assert numpy.isfinite(values).all() and len(model.replay(clip)) == 4
    print(mode, model.counters()["counted_steps"])
"""
ASKED = """
import os
from dataclasses import replace
from pathlib import Path
from monitors.gpu import Device
from soak.doctor import environment
from soak.engine import confinement
from soak.plan.block import arm
from soak.plan.member import Member
from soak.plan.program import name_of
from soak.record import redaction
from workloads.protocol.order import TrialSpec
from workloads.worker.sandbox import VARIABLE, from_text
said = {"arrays": "1.5", "python": "3.11", "blas": "3"}
print(arm("arrays", "counted", said, {"worker": {"OPENBLAS_NUM_THREADS": "1", "TOKEN": "secret"}}))
print(*(found.message for found in environment.findings({"ARRAYS_POOL": "1"})))
home = Path(os.environ["HOME"])
around = {"HOME": str(home), "ARRAYS_CACHE": str(home / "kept")}
member = Member(spec=TrialSpec("recurrent", "arrays"), devices=(Device("cuda:0", "GPU-a", "A100", "0"),))
allowed = from_text(confinement.environ(member, home / "run/trials/t", [], around)[VARIABLE]).writable
print(str(home / "kept") in allowed, str(home / ".arrays") in allowed, (home / ".triton").exists())
print(name_of(["arrays-run", "--ranks", "2", "train.py"]))
"""
CONFIG = '[run]\nduration = "5 s"\n[[trial]]\nworkload = "recurrent"\nframework = "{}"\nexecution = "counted"\n'


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    return Planted(tmp_path)


def listed(planted: Planted, kind: str) -> list[dict[str, Any]]:
    ran = planted.run("-m", "soak", "list", kind, "--json")
    assert ran.returncode == 0, ran.stderr
    rows: list[dict[str, Any]] = json.loads(ran.stdout)[kind]
    return rows


def test_one_of_somebody_elses_for_a_framework_of_theirs_is_found_checked_and_run(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = {"soak.frameworks": {"arrays": "arrays_framework"}, "soak.networks": {"arrays": "arrays_network"},
              "soak.executions": {"arrays_eager": "arrays_eager", "arrays_counted": "arrays_counted"}}  # fmt: skip
    plain = EXECUTION.format(like="none_eager", framework="arrays", requires={"numpy": "numpy"})
    planted.install("arrays", points, {
        "arrays_framework": FRAMEWORK, "arrays_network": NETWORK, "arrays_counted": plain,
        "arrays_eager": plain.replace('NAME = "counted"', 'NAME = "eager"'),
    })  # fmt: skip
    found = [row for row in listed(planted, "executions") if row["framework"] == "arrays"]
    assert {(row["name"], row["installed"]) for row in found} == {("eager", True), ("counted", True)}
    assert {row["name"] for row in listed(planted, "frameworks")} >= {"arrays", "none"}
    config = planted.folder / "soak.toml"
    config.write_text(CONFIG.format("arrays"))
    checked = planted.run("-m", "soak", "check", str(config))
    assert checked.returncode == 0, checked.stderr
    config.write_text(CONFIG.format("arrays").replace("counted", "countd"))
    checked = planted.run("-m", "soak", "check", str(config))
    assert checked.returncode == 2
    assert "expected eager or counted for arrays, did you mean 'counted'?" in " ".join(checked.stderr.split())
    ran = planted.run("-c", DRIVE.format(framework="arrays"))
    assert ran.stdout.split() == ["train", "3.0", "infer", "3.0"], ran.stderr
    home = planted.folder / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TMPDIR", str(home))
    ran = planted.run("-c", ASKED)
    assert ran.stdout.splitlines() == [
        "arrays 1.5 counted, python 3.11, blas 3, OPENBLAS_NUM_THREADS=1",
        "ARRAYS_POOL=1: keeps freed arrays in a pool",
        "True True False",
        "train",
    ], ran.stderr


@pytest.mark.framework
@pytest.mark.usefixtures("frameworks")
@pytest.mark.parametrize("framework", networks.frameworks())
def test_one_for_a_framework_of_ours_runs_its_networks(planted: Planted, framework: str) -> None:
    text = EXECUTION.format(like=f"{framework}_eager", framework=framework, requires={framework: framework})
    planted.install("counts", {"soak.executions": {"counting": "counting"}}, {"counting": text})
    ran = planted.run("-c", DRIVE.format(framework=framework))
    assert ran.stdout.split() == ["train", "3.0", "infer", "3.0"], ran.stderr


def test_one_whose_requirements_are_missing_is_told_by_the_check(planted: Planted) -> None:
    text = EXECUTION.format(like="none_eager", framework="none", requires={"no_such_module": "such[a]"})
    points = {"soak.executions": {"counting": "counting"}, "soak.networks": {"none": "none_network"}}
    planted.install("counts", points, {"counting": text, "none_network": NETWORK})
    (found,) = [row for row in listed(planted, "executions") if row["name"] == "counted"]
    assert (found["requires"], found["installed"]) == (["no_such_module"], False)
    config = planted.folder / "soak.toml"
    config.write_text(CONFIG.format("none"))
    checked = planted.run("-m", "soak", "check", str(config))
    assert checked.returncode == 2
    said = " ".join(checked.stderr.split())
    assert "execution = 'counted': it needs no_such_module, which is not installed" in said
    assert "pip install 'such[a]'" in said


def test_one_that_is_broken_or_takes_a_name_of_ours_is_told_and_ends_nothing(planted: Planted) -> None:
    taken = EXECUTION.format(like="none_eager", framework="torch", requires={}).replace('"counted"', '"eager"')
    points = {"soak.executions": {"absent": "no_such_module", "a_thief": "a_thief", "lame": "lame"}}
    planted.install("broken", points, {"a_thief": taken, "lame": '"""Nothing."""\n'})
    rows = {row["name"]: row for row in listed(planted, "executions") if not row["framework"]}
    assert "cannot be imported" in rows["absent"]["about"]
    assert "lacks NAME" in rows["lame"]["about"]
    config = planted.folder / "soak.toml"
    config.write_text(CONFIG.format("none"))
    said = " ".join(planted.run("-m", "soak", "check", str(config)).stderr.split())
    assert "the execution 'eager' of torch already" in said
    assert "lacks NAME" in said
    ran = planted.run("-c", "from workloads import executions; print(executions.find('torch', 'eager').__name__)")
    assert ran.stdout.strip() == "workloads.executions.torch_eager", ran.stderr


def about_changed(planted: Planted, kind: str, text: str, old: str, new: str) -> str:
    """What is listed of somebody else's file of that kind in which `new` stands for `old`."""
    assert old in text
    planted.install("broken", {f"soak.{kind}": {"lame": "lame"}}, {"lame": text.replace(old, new)})
    (lame,) = (row for row in listed(planted, kind) if row["name"] == "lame")
    return str(lame["about"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('LAUNCHERS = ("arrays-run",)', 'LAUNCHERS = "myrun"', "LAUNCHERS is 'myrun', expected a tuple"),
        ('= CUDA_BUILD = BLIND = ""', '= BLIND = ""; CUDA_BUILD = None', "CUDA_BUILD is None, expected a string"),
        ('= CUDA_BUILD = BLIND = ""', '= CUDA_BUILD = ""; BLIND = ("why",)', "BLIND is ('why',), expected a string"),
    ],
)
def test_a_framework_with_a_part_of_another_type_is_told_with_its_reason(
    planted: Planted, old: str, new: str, said: str
) -> None:
    assert said in about_changed(planted, "frameworks", FRAMEWORK, old, new)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("REQUIRES = {}", "REQUIRES = ('torch',)", "REQUIRES is ('torch',), expected a mapping"),
        ('MODES = ("train", "infer")', 'MODES = "train"', "MODES is 'train', expected a tuple"),
        ("TOPOLOGY = SINGLE", "TOPOLOGY = 2", "TOPOLOGY is 2, expected a Topology"),
        ('NAME = "counted"', "NAME = None", "NAME is None, expected a string"),
    ],
)
def test_one_with_a_part_of_another_type_is_told_with_its_reason(
    planted: Planted, old: str, new: str, said: str
) -> None:
    text = EXECUTION.format(like="none_eager", framework="none", requires={})
    assert said in about_changed(planted, "executions", text, old, new)
