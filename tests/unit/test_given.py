"""What is wrong with an option of a command line is told of that option, and not of a key that nobody wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from soak.cli import main

LONG = "x" * 100_001


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("soak: ")


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        (["--duration", "long"], '--duration long: expected a number with a unit, such as "90 s"'),
        (["--dur=3x"], "--duration 3x: unknown unit"),
        (["--sample-interval", "1ms"], "--sample-interval 1ms: expected at least 10 ms"),
        (["--stop-grace", "0"], "--stop-grace 0: expected a positive duration"),
        (["--min-rate", "3"], "--min-rate 3: expected a rate"),
        (["--memory-limit", "much"], "--memory-limit much: expected a number with a unit"),
        (["--ranks", "0"], "--ranks 0: expected"),
        (["--device", "gpu"], '--device gpu: expected "auto"'),
        (["--device", "cuda:0,cuda:0"], "--device cuda:0,cuda:0: expected each device once"),
        (["--cwd", "/absent"], "--cwd /absent: expected a folder that exists"),
        (["--load", "http://127.0.0.1:80/", "--cwd", "/absent"], "--cwd /absent: expected a folder that exists"),
        (["--load", "http://127.0.0.1:80/", "--rate", "-1"], "--rate -1: expected requests a second"),
        (["--name", "x" * 501], "--name xxx"),
        (["--env", f"TOKEN={LONG}"], "--env TOKEN: expected a value without NUL"),
        (["--set", "run.paralel=2"], "--set run.paralel=2: unknown key: did you mean 'parallel'?"),
        (["--set", f"trial.0.env.TOKEN={LONG}"], "--set trial.0.env.TOKEN: expected a value without NUL"),
        (["--duration", "1 h", "--set", "run.duration=0"], "--set run.duration=0: expected"),
        (["--set", 'trial.0.command=["/absent"]'], '--set trial.0.command=["/absent"]: expected a program that exists'),
        (["--cwd", "/tmp", "--set", "trial.0.cwd='/absent'"], "--set trial.0.cwd='/absent': expected a folder that"),
        (["--set", 'trial.0.device="cuda:9"'], '--set trial.0.device="cuda:9": there is no such device'),
    ],
)
def test_an_error_of_exec_names_the_option(words: list[str], begins: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(["exec", *words, "--", "true"], capsys).startswith(begins)


def test_an_error_of_exec_names_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(["exec", "--", "./absent"], capsys) == "./absent: expected a program that exists and may be executed"


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        (["run", "--duration", "long"], '--duration long: expected a number with a unit, such as "90 s"'),
        (["run", "--device", "gpu"], '--device gpu: expected "auto"'),
        (["run", "--trial", "a", "--trial", "b"], "--trial a --trial b: names no trial; there are t"),
        (["run", "--set", "run.parallel=x"], "--set run.parallel=x: expected a whole number"),
        (["check", "--set", "trial.0.threads=0"], "--set trial.0.threads=0: expected a whole number"),
        (
            ["check", "--set", "trial.0.options={hidden = 1979-05-27}"],
            "--set trial.0.options={hidden = 1979-05-27}: exp",
        ),
        (["check", "--set", "trial.7.threads=1"], "--set trial.7.threads: expected a number from 0 to 0"),
        (["check", "--set", "run.name.x=1"], "--set run.name.x: the part before the last dot is not a table"),
    ],
)
def test_an_error_of_a_config_names_the_option_that_changed_it(
    tmp_path: Path, words: list[str], begins: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[run]\nname = "n"\n[[trial]]\nname = "t"\nworkload = "recurrent"\nframework = "none"\nsteps = 2\n')
    assert said([words[0], str(path), *words[1:]], capsys).startswith(begins)


def test_what_stands_in_the_file_is_told_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[run]\nduration = "long"\n[[trial]]\ncommand = ["true"]\n')
    words = ["run", str(path), "--device", "cpu", "--set", "run.parallel=2"]
    assert said(words, capsys).startswith(f"{path}: run.duration = 'long': expected")


def test_trials_of_a_schedule_are_told_of_the_schedule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.toml").write_text('[[trial]]\nname = "t"\ncommand = ["true"]\nduration = "9 s"\n')
    path = tmp_path / "soak.toml"
    path.write_text('[[schedule]]\nname = "night"\nconfig = "c.toml"\nevery = "1 h"\ntrials = ["x"]\n')
    expected = f"{path}: schedule night: trials = ['x']: names no trial; there are t"
    assert said(["check", str(path)], capsys) == expected
