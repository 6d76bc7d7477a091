"""Configs for cards: what runs there can, every leak has a clean twin, and the scripts name trials that there are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from monitors.detection.heading import NESTS
from monitors.model import LAYERS
from soak.plan import config
from soak.plan.plan import make_plan
from workloads import catalog

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("gpu*.toml"))
TENSORFLOW = ROOT / "configs" / "gpu-tensorflow.toml"
PROOF = (ROOT / "benchmarks" / "gpu_proof.sh").read_text()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_each_trial_of_a_config_for_cards_runs_on_one(path: Path) -> None:
    for trial in make_plan(config.load(path)):
        for member in trial.members:
            assert member.spec is not None
            assert member.needs > 0, trial.name
            assert "cuda" in catalog.devices_of(catalog.load(member.spec.workload)), trial.name
        assert set(trial.wishes) == {"auto"}


def tables() -> dict[str, dict[str, Any]]:
    return {table["name"]: table for table in tomllib.loads(TENSORFLOW.read_text())["trial"]}


LEAKS = [name for name in tables() if not name.endswith("-clean")]


def test_the_zoo_of_tensorflow_is_there() -> None:
    assert len(tables()) == 2 * len(LEAKS)
    assert {table["framework"] for table in tables().values()} == {"tensorflow"}
    workloads = {tables()[name]["workload"] for name in LEAKS}
    assert {"zoo_retrace", "zoo_keras_models", "zoo_graph_growth", "zoo_tapes"} <= workloads
    assert tables()["xla-shapes"]["options"]["jit_compile"]


@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_and_its_twin_differ_in_how_much_is_new_alone(name: str) -> None:
    leak, twin = tables()[name], tables()[f"{name}-clean"]
    assert (leak.pop("expect"), twin.pop("expect")) == ("leak", "pass")
    assert (leak["options"].pop("distinct"), twin["options"].pop("distinct")) == (0, 1)
    layers = leak.pop("expect_layer")
    assert set(layers) <= set(LAYERS)
    assert any(set(layers) <= set(nest) for nest in NESTS.values()), "on the host, or on the card"
    assert not {"gpu_reserved", "gpu_residual"} & set(layers), "TensorFlow tells neither"
    assert {**leak, "name": ""} == {**twin, "name": ""}


def test_the_proof_asks_for_trials_that_there_are() -> None:
    named = re.search(r"configs/gpu\.toml.*?\|\|", PROOF, re.DOTALL)
    assert named is not None
    asked = re.findall(r"--trial (\S+)", named.group())
    assert len(asked) == 5
    plan = make_plan(config.load(ROOT / "configs" / "gpu.toml"))
    assert all(any(trial.name.startswith(name) for trial in plan) for name in asked)
    alone = re.search(r'ZOO="([a-z -]+)"', PROOF)
    assert alone is not None
    assert set(alone.group(1).split()) <= set(LEAKS)
