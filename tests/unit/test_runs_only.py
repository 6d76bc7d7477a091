"""A framework that only runs converted models is recorded where it runs one, and is nothing that a config names."""

from __future__ import annotations

from pathlib import Path

import pytest

from soak.errors import ConfigError
from soak.plan import config
from soak.plan.plan import make_plan
from workloads import executions, frameworks
from workloads.protocol.contract import Setup
from workloads.protocol.order import TrialSpec
from workloads.worker.main import run_by

RUNTIMES = {"onnxruntime", "litert", "tfjs"}


def test_it_is_a_framework_in_which_nothing_is_written() -> None:
    assert set(frameworks.names()) - set(frameworks.authored()) >= RUNTIMES
    assert {*frameworks.DEFAULTS, frameworks.NONE} <= set(frameworks.authored())
    assert {frameworks.load(name).VERSIONS[0] for name in RUNTIMES} <= set(frameworks.versions())


@pytest.mark.parametrize("framework", sorted(RUNTIMES))
def test_a_config_that_names_one_is_told_what_it_may_name(tmp_path: Path, framework: str) -> None:
    path = tmp_path / "soak.toml"
    path.write_text(f'[run]\nduration = "1 min"\n[[trial]]\nworkload = "recurrent"\nframework = "{framework}"\n')
    with pytest.raises(ConfigError, match="expected torch or tensorflow or none"):
        make_plan(config.load(path))


@pytest.mark.parametrize(
    ("framework", "execution", "runs"),
    [("torch", "eager", []), ("torch", "onnx", ["onnxruntime"]), ("tensorflow", "tfjs", ["tfjs"]),
     ("torch", "tensorflow", ["tensorflow"])],
)  # fmt: skip
def test_what_runs_a_model_is_made_ready_beside_what_it_is_written_in(
    framework: str, execution: str, runs: list[str]
) -> None:
    found = run_by(TrialSpec("recurrent", framework, execution=execution))
    assert list(found) == [frameworks.load(name) for name in runs]


@pytest.mark.parametrize("execution", ["tensorflow_litert", "tensorflow_litert_int8"])
def test_tensorflow_on_the_way_to_litert_has_the_threads_of_the_trial(
    execution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []
    tensorflow = frameworks.load("tensorflow")
    monkeypatch.setattr(tensorflow, "prepare", lambda threads, seed, device="cpu": given.append((threads, seed)))
    setup = Setup("recurrent", "torch", "infer", execution, 7, 3, threads=2)
    with executions.scope_of(executions.find("torch", execution), setup):
        assert given == [(2, 7)]
