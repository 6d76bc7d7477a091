"""The command line as a user meets it: help that teaches, errors in one line, and no framework where none is needed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from soak import environments
from tests.installed import ROOT, link_packages, need
from tests.patience import PATIENCE
from workloads.conversion import tensorflow_js

CONFIGS = sorted((ROOT / "configs").glob("*.toml"))


def soak(*words: object, **keys: Any) -> tuple[int, str]:
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "soak", *map(str, words)], capture_output=True, text=True, timeout=PATIENCE,
        check=False, **{"env": {**os.environ, "COLUMNS": "160"}, **keys},
    )  # fmt: skip
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize("command", ["run", "check", "report", "list"])
def test_help_teaches_by_examples(command: str) -> None:
    code, said = soak(command, "--help")
    assert code == 0
    assert "examples:" in said
    assert f"\n  soak {command}" in said
    assert len(said.splitlines()) > 12


def test_help_names_every_command_and_no_argument_shows_it() -> None:
    code, said = soak("--help")
    assert code == 0
    assert all(command in said for command in ("run", "check", "report", "list"))
    assert soak()[0] == 2
    assert soak("--version")[1].startswith("soak ")


def test_list_shows_every_kind() -> None:
    code, said = soak("list", "--json")
    assert code == 0
    kinds = json.loads(said)
    assert {"recurrent", "fault_native_heap"} <= {w["name"] for w in kinds["workloads"]}
    assert {"html", "json", "junit", "markdown"} <= {f["name"] for f in kinds["formats"]}
    assert [d["name"] for d in kinds["detectors"]] == ["trend"]
    assert soak("list")[0] == 0


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_can_be_run_here(config: Path) -> None:
    need("torch", "tensorflow")
    named = set(re.findall(r'"env:(\w+)"', config.read_text()))
    absent = {name for name in named if environments.find(name).state not in ("ready", "outdated")}
    if "zoo_tfjs" in config.read_text() and (lacks := tensorflow_js.missing()):
        pytest.skip(lacks)
    code, said = soak("check", config)
    if absent:
        assert code == 2
        assert all(re.search(rf"run `soak env ({'|'.join(absent)})` first", line) for line in said.splitlines()), said
        return
    assert code == 0, said
    known = (
        "recurrent",
        "native-heap",
        "jit-trace",
        "tfjs-tensors",
        "leaks",
        "ranks",
        "served",
        "2 schedules",
        "leak-probability",
        "kserve-grpc",
        "keras-models",
    )
    assert any(word in said for word in known)


RUN = '[run]\nduration = "5 s"\n'
TRIAL = '[[trial]]\nworkload = "recurrent"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[run]\nduraton = "5 s"\n[[trial]]\nworkload = "recurrent"\n', "did you mean 'duration'"),
        ('[run]\nduration = "5 parsecs"\n[[trial]]\nworkload = "recurrent"\n', "5 parsecs"),
        ('[run]\nduration = "5 s"\nparallel = 0\n[[trial]]\nworkload = "recurrent"\n', "run.parallel = 0"),
        ('[run]\nduration = "5 s"\nparallel = "two"\n[[trial]]\nworkload = "recurrent"\n', "run.parallel = 'two'"),
        ('[run]\nduration = "5 s"\n[[trial]]\nworkload = "recurent"\n', "did you mean 'recurrent'"),
        (RUN + TRIAL + "options = { hiden = 3 }\n", "did you mean 'hidden'"),
        (RUN + "[stream]\nnoise = 99\n" + TRIAL, "noise = 99: expected 0 to 32"),
        (RUN + '[stream]\nsource = "file"\npath = "/no.mp4"\n' + TRIAL, "/no.mp4"),
        ("not toml", "not valid TOML"),
    ],
)  # fmt: skip
def test_a_wrong_config_is_one_line_and_starts_nothing(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "bad.toml"
    config.write_text(text)
    for words in (("check", config), ("run", config, "--out", tmp_path / "runs")):
        code, output = soak(*words)
        assert code == 2
        assert said in output
        assert str(config) in output
        assert output.count("\n") == 1, output
    assert not (tmp_path / "runs").exists()


def test_wrong_names_and_folders_are_one_line() -> None:
    assert soak("run", "configs/none.toml", cwd=ROOT)[0] == 2
    assert "did you mean" in soak("run", "configs/quik.toml", cwd=ROOT)[1]
    code, said = soak("report", "/nowhere")
    assert (code, said.count("\n")) == (2, 1)
    code, said = soak("run", "configs/quick.toml", "--live", "77", cwd=ROOT)
    assert (code, said.count("\n")) == (2, 1)
    code, said = soak("run", "configs/quick.toml", "--trial", "nothing", cwd=ROOT)
    assert code == 2
    assert "recurrent-torch" in said


@pytest.fixture
def plain(tmp_path: Path) -> dict[str, str]:
    """An environment that holds what soak depends on, and neither a framework nor what only extras bring."""
    site = tmp_path / "site"
    site.mkdir()
    link_packages(site, "torch", "tensorflow", "keras", "av", "functorch", "jax", "apscheduler", "uvicorn")
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{site}", "COLUMNS": "160"}


def without_frameworks(environment: dict[str, str], *words: object) -> tuple[int, str]:
    ran = subprocess.run(
        [sys.executable, "-S", "-P", "-m", "soak", *map(str, words)], capture_output=True, text=True, timeout=PATIENCE,
        check=False, env=environment, cwd=ROOT,
    )  # fmt: skip
    return ran.returncode, ran.stdout + ran.stderr


def test_a_plain_install_shows_help_lists_and_checks(plain: dict[str, str]) -> None:
    assert without_frameworks(plain, "--help")[0] == 0
    code, said = without_frameworks(plain, "list", "--json")
    assert (code, "recurrent" in said) == (0, True)
    code, said = without_frameworks(plain, "check", "configs/quick.toml")
    assert code == 2
    # A line for each framework that is missing, however many trials want it.
    assert [line.count("pip install 'soak[") for line in said.splitlines()] == [1, 1]
    assert {"soak[torch]", "soak[tensorflow]"} == set(re.findall(r"soak\[\w+\]", said))
    code, said = without_frameworks(plain, "serve", "--config", "configs/service.toml")
    assert (code, said.count("\n")) == (2, 1)
    assert "pip install 'soak[service]'" in said
    code, said = without_frameworks(plain, "status", "--url", "http://127.0.0.1:1")
    assert (code, said.count("\n")) == (4, 1)
    assert "no soak service answers there" in said


@pytest.mark.framework
def test_a_plain_install_reports_a_run_from_elsewhere(plain: dict[str, str], tmp_path: Path) -> None:
    need("torch")
    config = tmp_path / "c.toml"
    config.write_text('[run]\nduration = "3 s"\n[[trial]]\nworkload = "recurrent"\nframework = "torch"\n')
    soak("run", config, "--out", tmp_path / "runs")
    (folder,) = (tmp_path / "runs").iterdir()
    (folder / "report.html").unlink()
    code, said = without_frameworks(plain, "report", folder)
    assert code in (0, 3), said
    assert (folder / "report.html").stat().st_size > 10_000
