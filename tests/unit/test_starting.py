"""What `soak.run` and `soak.exec` are given, as the words of a command line; nothing is started."""

from __future__ import annotations

import argparse
import itertools
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from soak.commands import exec as exec_command
from soak.commands import run as run_command
from soak.errors import UsageError
from soak.runs import launch, starting


class Started:
    """Stands where a run would be."""

    def __init__(self, words: list[str], **options: Any) -> None:
        self.words, self.options = words, options
        *_, last = words
        self.config = tomllib.loads(Path(last).read_text()) if last.endswith(".toml") else {}


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(starting, "Run", Started)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    Path("c.toml").write_text("")


def parsed(started: Any, command: Any) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.arguments(parser)
    return parser.parse_args(started.words[1:])


def test_every_option_of_run_is_a_word_that_the_command_takes(tmp_path: Path) -> None:
    started = starting.run(
        "c.toml", duration=timedelta(minutes=2), device="cpu", out="o", trials=["a", "-b"], parallel=2,
        set={"trial.0.options.hidden": 64, "judge": {"alarm": 0.1}},
    )  # fmt: skip
    found = parsed(started, run_command)
    assert (found.config, found.out, found.duration, found.device) == (Path("c.toml"), tmp_path / "o", "120 s", "cpu")
    assert found.only == ["a", "-b"]
    assert found.overrides == ["trial.0.options.hidden=64", "judge.alarm=0.1", "run.parallel=2"]


def test_a_text_is_the_name_of_one_trial_and_not_its_letters() -> None:
    assert parsed(starting.run("c.toml", trials="fault"), run_command).only == ["fault"]


def test_every_option_of_exec_is_a_word_that_the_command_takes(tmp_path: Path) -> None:
    started = starting.exec(
        ["python", Path("train.py"), "--lr=1"], duration=90, memory_limit="2 GiB", device="cpu", name="-n", out="o",
        env={"OMP_X": "b=c"}, stop_on_leak=True, show_output=False, min_rate=None, set=["run.seed=1", "judge.alarm=0"],
    )  # fmt: skip
    found = parsed(started, exec_command)
    assert found.words[-3:] == ["python", "train.py", "--lr=1"]
    assert (found.duration, found.memory_limit, found.name, found.out) == ("90 s", "2 GiB", "-n", tmp_path / "o")
    assert (found.env, found.stop_on_leak, found.show_output) == (["OMP_X=b=c"], True, False)
    assert found.overrides == ["run.seed=1", "judge.alarm=0"]


def test_output_that_nobody_would_see_is_refused() -> None:
    with pytest.raises(UsageError, match=r"show_output = True: expected it left out: .*worker\.log"):
        starting.exec(["true"], show_output=True)


def test_a_secret_is_on_no_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    started: Any = starting.exec(["true"], env={"TOKEN": "hunter2", "PYTHONPATH": "/x", "": "y"})
    assert "hunter2" not in str(started.words)
    assert started.options["env"] == {"TOKEN": "hunter2"}, "what soak itself must not have"
    found = parsed(started, exec_command)
    assert found.env == ["TOKEN", "PYTHONPATH=/x", "=y"]
    monkeypatch.setenv("TOKEN", "hunter2")
    (trial,) = exec_command.tables_of(found, ["true"])["trial"]
    assert trial["env"] == {"TOKEN": "hunter2", "PYTHONPATH": "/x", "": "y"}


VALUES = st.recursive(
    st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner | st.dictionaries(st.text(st.characters(codec="utf-8")), inner), max_size=4),
)


@given(VALUES)
@example([{"text": "x" * 200, "list": [1, {"a": True}]}])
def test_every_value_comes_back_from_an_assignment(value: Any) -> None:
    (assigned,) = starting._assignments({"a.b": value})
    key, _, text = assigned.partition("=")
    assert (key, tomllib.loads(f"v = {text}")["v"]) == ("a.b", value)


def test_a_mapping_is_a_config_without_what_is_none() -> None:
    config: Any = {
        "run": {"folder": "/", "out": Path("x"), "duration": timedelta(seconds=5), "seed": None},
        "trial": ({"steps": 3},),
    }
    assert starting.run(config).config == {  # type: ignore[attr-defined]
        "run": {"folder": "/", "out": "x", "duration": "5 s"}, "trial": [{"steps": 3}]
    }  # fmt: skip
    with pytest.raises(UsageError, match="that TOML cannot hold"):
        starting.run({"run": {"seed": object()}})


def test_own_code_is_looked_for_from_the_working_directory(tmp_path: Path) -> None:
    workloads = {"workload": "t.py:f"}, {"member": [{"name": "a", "workload": "code.train:step"}]}
    for trial, (cwd, folder) in itertools.product(workloads, ((None, tmp_path), ("sub", tmp_path / "sub"))):
        given_one: Any = {"trial": [trial]}
        found = starting.run(given_one, cwd=cwd).config  # type: ignore[attr-defined]
        assert found == {"trial": [trial], "run": {"folder": str(folder)}}
    named = starting.run({"run": {"folder": "/code"}}).config  # type: ignore[attr-defined]
    assert named == {"run": {"folder": "/code"}}


def test_an_error_does_not_name_a_file_that_nobody_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(words: list[str], **options: Any) -> None:
        raise UsageError(f"{words[-1]}: run.x: unknown key")

    monkeypatch.setattr(starting, "Run", fail)
    with pytest.raises(UsageError) as raised:
        starting.run({"run": {"x": 1}})
    assert str(raised.value) == "config: run.x: unknown key"


def test_what_a_run_tells_goes_to_the_descriptor_whatever_the_words_are() -> None:
    command = launch.argv(["exec", "--name=x", "--", "a", "--live=3"], 7)
    assert command[-5:] == ["--live=7", "--name=x", "--", "a", "--live=3"]
