"""All that is wrong with a config is told at once, each in a line of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from soak.cli import main
from soak.errors import MOST_TOLD, CombinedConfigError, ConfigError, Problems, UsageError, missing_key
from soak.plan import config
from soak.plan.given import Option, named_by_option
from soak.plan.overrides import Overrides
from soak.service import config as service_config

WRONG = """
[run]
duration = "20 s"
parallel = "two"
sample_intervall = "1 s"

[judge]
alarm = 2

[[trial]]
workload = "recurrent"
threads = 4000
repeats = 0

[[trial]]
workload = "recurrrent"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(WRONG)
    return path


def test_every_key_that_is_wrong_is_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(file)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith(f"soak: {file}: ") for line in lines)
    named = [line.removeprefix(f"soak: {file}: ").partition(" = ")[0] for line in lines]
    assert named == [
        "run.sample_intervall", "run.parallel", "judge.alarm", "trial[0].threads", "trial[0].repeats",
        "trial[1].workload",
    ]  # fmt: skip


def test_as_one_line_the_first_is_told_and_how_many_more(file: Path) -> None:
    with pytest.raises(CombinedConfigError) as caught:
        config.load(file)
    assert str(caught.value).endswith("did you mean 'sample_interval'?; and 5 more errors")
    assert caught.value.key == "run.sample_intervall"


def test_one_that_an_option_set_is_told_of_the_option(file: Path) -> None:
    asked = ["run.parallel='many'"]
    with pytest.raises(ConfigError) as caught, named_by_option(Overrides(asked).given()):
        config.load(file, asked)
    assert "--set run.parallel='many': expected a whole number, got text" in caught.value.lines()
    assert len(caught.value.lines()) == 6


def test_what_an_option_sets_in_two_places_is_told_once() -> None:
    both = [ConfigError("f", key, "x", "expected y") for key in ("run.name", "trial[0].name")]
    given = dict.fromkeys(("run.name", "trial.0.name"), Option("--name", "x"))
    with pytest.raises(UsageError) as caught, named_by_option(given):
        raise CombinedConfigError(both)
    assert caught.value.lines() == ("--name x: expected y",)


def test_a_run_table_that_is_wrong_says_nothing_of_the_trials(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[run]\nduration = "20 s"\nparallel = 0\n[[trial]]\nworkload = "recurrent"\n')
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert len(caught.value.lines()) == 1, "the duration is there"


def test_a_member_tells_all_that_is_wrong_with_it(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    member = '[[trial.member]]\nname = "a"\ncommand = ["true"]\njudged = 3\nthreads = 0\n'
    path.write_text(f'[[trial]]\nname = "t"\n{member}')
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert [line.partition("member[0].")[2].split()[0] for line in caught.value.lines()] == ["judged", "threads"]


def told(path: Path, text: str) -> list[str]:
    """What `soak check` says is wrong, by keys."""
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        service_config.load(path) if "[[schedule]]" in text else config.load(path)
    begins = f"{path}: "
    return [line.removeprefix(begins).partition(" = ")[0].partition(": ")[0] for line in caught.value.lines()]


def test_every_member_tells_what_is_wrong_with_it(tmp_path: Path) -> None:
    members = '[[trial.member]]\nthreads = 0\n[[trial.member]]\nname = 5\nthreads = "x"\n[[trial.member]]\nname = "c"\n'
    assert told(tmp_path / "c.toml", f'[[trial]]\nname = "t"\n{members}') == [
        "trial[0].member[0].name", "trial[0].member[0].threads", "trial[0].member[1].name",
        "trial[0].member[1].threads", "trial[0].member[2]",
    ]  # fmt: skip


def test_everything_that_is_wrong_with_the_config_of_a_service_is_told(tmp_path: Path) -> None:
    text = """
[service]
listen = "here"
colour = "red"

[retention]
keep = []

[[schedule]]
name = "night"
config = "missing.toml"
cron = "never"

[[schedule]]
name = "night"
config = "missing.toml"
when = "daily"

[[schedule]]
name = "gone"
config = "missing.toml"
every = "1 h"
"""
    assert told(tmp_path / "soak.toml", text) == [
        "service.colour", "retention.keep", "schedule[0].cron", "schedule[1].when", f"{tmp_path / 'missing.toml'}",
    ]  # fmt: skip


@pytest.mark.parametrize(("rest", "said"), [(5, "and 5 more errors"), (1, "and 1 more error")])
def test_of_very_many_errors_the_rest_is_counted(rest: int, said: str) -> None:
    problems = Problems()
    for number in range(MOST_TOLD + rest):
        problems.add(missing_key("f", f"k{number}", "expected"))
    with pytest.raises(CombinedConfigError) as caught:
        problems.tell()
    assert len(caught.value.lines()) == MOST_TOLD + 1
    assert caught.value.lines()[-1] == said


def test_nothing_wrong_is_no_error() -> None:
    problems = Problems()
    with problems.gathered():
        pass
    problems.tell()
    assert not problems.any


def test_a_workload_of_one_framework_needs_no_line_for_it(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[run]\nduration = 20\n[[trial]]\nworkload = "zoo_retrace"\n[[trial]]\nworkload = "recurrent"\n')
    loaded = config.load(path)
    assert [one.framework for one in loaded.trials] == [["tensorflow"], ["torch", "tensorflow"]]
    assert loaded.run.duration == 20.0


def test_check_finds_a_device_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[run]\nduration = 20\n[[trial]]\nworkload = "fault_fd"\nframework = "none"\ndevice = "cuda:97"\n')
    assert main(["check", str(path)]) == 2
    assert "device = 'cuda:97': there is no such device" in capsys.readouterr().err


def test_check_tells_what_is_wrong_with_each_of_several_files(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = file.with_name("d.toml")
    other.write_text("[run]\nseeed = 1\n")
    assert main(["check", str(file), str(other)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if f"{file}: " in line]) == 6
    assert any(line.startswith(f"soak: {other}: run.seeed = 1: unknown key") for line in lines)


def test_check_as_json_tells_the_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[run]\nduration = "1 min"\n[[trial]]\nname = "mine"\ncommand = ["true"]\nexpect = "pass"\n')
    assert main(["check", str(path), "--json"]) == 0
    (body,) = json.loads(capsys.readouterr().out)
    (trial,) = body["trials"]
    assert (trial["number"], trial["seed"]) == (1, 0)
    assert (body["config"], trial["trial"], trial["until"], trial["control"]) == (
        str(path), "mine", "1 min", "expected: pass"
    )  # fmt: skip


def test_a_key_of_a_run_is_not_set_for_a_service(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "soak.toml"
    path.write_text('[[schedule]]\nname = "a"\nconfig = "c.toml"\nevery = "1 h"\n')
    (tmp_path / "c.toml").write_text('[run]\nduration = "1 min"\n[[trial]]\ncommand = ["true"]\n')
    assert main(["check", str(path)]) == 0
    assert main(["check", str(path), "--set", "run.parallel=2"]) == 2
    assert "expected no --set" in capsys.readouterr().err
