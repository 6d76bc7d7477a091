"""An environment is built by real commands, and a trial runs in it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from soak import environments
from soak.environments.build import build
from soak.errors import SoakError, UsageError

NAME = "matrix"
"""One that the soak of a child process knows too; what it is made of is another thing here, as that takes minutes."""
CODE = """
import pathlib, sys
def step():
    pathlib.Path({said!r}).write_text(sys.prefix)
"""
CONFIG = """
[run]
duration = "3 s"
sandbox = false
[[trial]]
workload = "own.py:step"
python = "env:matrix"
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> environments.Environment:
    """One of nothing but Python, in a folder of its own."""
    definitions = tmp_path / "definitions"
    definitions.mkdir()
    (definitions / f"{NAME}.txt").write_text("# Nothing but Python.\n")
    monkeypatch.setattr(environments, "_HERE", definitions)
    monkeypatch.setenv(environments.VARIABLE, str(tmp_path / "environments"))
    return environments.find(NAME)


def test_a_trial_runs_in_one_that_was_built(made: environments.Environment, soak: Any, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(CODE.format(said=str(tmp_path / "said")))
    code, output = soak.run("run", soak.config(CONFIG))
    assert code == 2
    assert f"run `soak env {NAME}` first" in output
    said: list[str] = []
    build(made, sys.executable, ["--no-index"], said.append)
    assert made.state == "ready"
    assert [word.split()[0] for word in said] == [sys.executable, str(made.python)]
    code, output = soak.run("run", soak.config(CONFIG))
    assert code == 3, output
    assert Path((tmp_path / "said").read_text()) == made.folder


def test_one_that_fails_is_unfinished_and_names_the_command(made: environments.Environment) -> None:
    (made.files[0]).write_text("# Nothing that there is.\nno-such-package-of-soak==1.0\n")
    with pytest.raises(SoakError, match=r"exit status 1 from: .*pip install .*--no-index"):
        build(made, sys.executable, ["--no-index"], lambda what: None)
    assert made.state == "unfinished"


def test_two_builds_of_one_do_not_mix(made: environments.Environment) -> None:
    def meanwhile(what: str) -> None:
        with pytest.raises(UsageError, match=f"another `soak env {NAME}` is building"):
            build(made, sys.executable, ["--no-index"], lambda what: None)

    build(made, sys.executable, ["--no-index"], meanwhile)
    assert made.state == "ready"


def test_the_list_says_which_are_ready(made: environments.Environment, soak: Any) -> None:
    code, output = soak.run("env", "--json")
    told = {each["name"]: each for each in json.loads(output)}
    assert (code, told[NAME]["state"], told[NAME]["folder"]) == (0, "absent", str(made.folder))
    code, output = soak.run("env", NAME, "--path")
    assert code == 2
    assert f"environment '{NAME}' is absent: run `soak env {NAME}`" in output
