"""Whatever `python` names is asked, and is given time; what a workload cannot run in is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from soak.errors import ConfigError
from soak.plan import config, interpreter, preflight
from soak.plan.plan import make_plan
from workloads import catalog


def check(folder: Path, python: str) -> None:
    path = folder / "soak.toml"
    path.write_text('[run]\nduration = "1 s"\n[[trial]]\nworkload = "fault_fd"\nframework = "torch"\n')
    loaded = config.load(path, [f"trial.0.python='{python}'"])
    preflight.check(loaded, make_plan(loaded))


def script(folder: Path, text: str) -> str:
    path = folder / "python"
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("#!/bin/sh\nexit 3\n", "this is not one"),
        ("#!/bin/sh\nyes & wait\n", "did not answer"),
        ("#!/bin/sh\nsleep 60\n", "did not answer"),
        ("#!/no/such/shell\n", "cannot be started"),
        ("\x00\x01\x02", "cannot be started"),
    ],
)
def test_what_is_no_interpreter_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    monkeypatch.setattr(interpreter, "MAX_WAIT", 0.2 if said == "did not answer" else 300.0)
    with pytest.raises(ConfigError, match=f"python = .*expected the path of a Python interpreter.*{said}"):
        check(tmp_path, script(tmp_path, text))


def test_a_folder_and_what_may_not_be_executed_are_no_interpreters(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    for python in (str(tmp_path), str(tmp_path / "plain"), str(tmp_path / "absent"), "x" * 300):
        with pytest.raises(ConfigError, match="that may be executed"):
            check(tmp_path, python)


def test_a_real_interpreter_is_believed(tmp_path: Path) -> None:
    path = script(tmp_path, f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    try:
        check(tmp_path, path)
    except ConfigError as error:
        assert error.key.endswith("framework")  # noqa: PT017  (whether it is installed is not asked here)


def test_a_workload_that_needs_a_certain_execution_refuses_others(tmp_path: Path) -> None:
    path = tmp_path / "soak.toml"
    path.write_text(
        '[run]\nduration = "1 s"\n[[trial]]\nworkload = "zoo_retrace"\nframework = "tensorflow"\nexecution = "graph"\n'
    )
    loaded = config.load(path)
    with pytest.raises(ConfigError, match="execution = 'graph': zoo_retrace has eager"):
        preflight.check(loaded, make_plan(loaded))


def test_a_workload_refuses_a_framework_that_it_is_not_written_in(tmp_path: Path) -> None:
    path = tmp_path / "soak.toml"
    path.write_text('[run]\nduration = "1 s"\n[[trial]]\nworkload = "recurrent"\nframework = "none"\n')
    loaded = config.load(path)
    with pytest.raises(ConfigError, match="framework = 'none': recurrent has torch and tensorflow"):
        preflight.check(loaded, make_plan(loaded))


@pytest.mark.parametrize(("library", "is_there"), [("c", True), ("no_such_library_of_soak", False)])
def test_a_shared_library_that_is_missing_is_told_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, is_there: bool
) -> None:
    monkeypatch.setattr(catalog.load("fault_fd"), "LIBRARIES", {library: "some-package"}, raising=False)
    path = tmp_path / "soak.toml"
    path.write_text('[run]\nduration = "1 s"\n[[trial]]\nworkload = "fault_fd"\nframework = "none"\n')
    loaded = config.load(path)
    if is_there:
        preflight.check(loaded, make_plan(loaded))
        return
    said = "libno_such_library_of_soak.so, which is not installed: apt install some-package"
    with pytest.raises(ConfigError, match=said):
        preflight.check(loaded, make_plan(loaded))
    told = catalog.describe("fault_fd")
    assert not told["installed"]
    assert "libno_such_library_of_soak.so" in told["requires"]
