"""What a person calls a command: `train` for `torchrun --nproc-per-node 2 train.py`. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from workloads import frameworks


@dataclass(frozen=True, slots=True)
class _Runner:
    """A kind of program that runs what its first word names that is no option."""

    called: re.Pattern[str]
    with_value: frozenset[str]
    """Options whose value is the next word."""
    code: re.Pattern[str] | None = None
    """The option after which code stands, which has no name."""
    module: re.Pattern[str] | None = None
    setting: re.Pattern[str] | None = None
    """What is no option, and not yet what it runs."""


_PYTHON = _Runner(
    re.compile(r"(python|pypy)[0-9.]*[a-z]?(\.exe)?"), frozenset(("-W", "-X", "--check-hash-based-pycs")),
    code=re.compile("-[a-zA-Z]*c"), module=re.compile("-[a-zA-Z]*m"),
)  # fmt: skip
_RUNNERS = (
    _PYTHON,
    _Runner(
        re.compile("(ba|da|z|k)?sh"), frozenset(("-o", "+o", "-O", "+O", "--rcfile", "--init-file")),
        code=re.compile("-[a-zA-Z]*c"),
    ),
    _Runner(
        re.compile("env|nice|nohup|setsid"), frozenset(("-u", "--unset", "-C", "--chdir", "-n", "--adjustment")),
        setting=re.compile("[^=]+=.*", re.DOTALL),
    ),
)  # fmt: skip
_LAUNCHERS = {"mpirun", "mpiexec", "srun", "horovodrun", "uv", "poetry", "conda", "coverage", "timeout"}
"""As those of frameworks they start a Python program, and have too many options to tell which of these take a value."""
_SCRIPTS = (".py", ".sh", ".bash")
_LONGEST = 100


def name_of(command: Sequence[str]) -> str:
    """The name of what a command is there to run, without the interpreters and launchers before it.

    A script is named without its suffix, a module as after `-m`. Where that cannot be told, as of code after `-c`, it
    is the name of the program that would run it.
    """
    words, found = list(command), ""
    while words:
        found = PurePath(words[0]).name or found
        words = _run_by(found, words[1:])
    suffix = PurePath(found).suffix
    return (found.removesuffix(suffix) if suffix in _SCRIPTS else found)[:_LONGEST]


def _run_by(program: str, words: list[str]) -> list[str]:
    """The command that `program` runs, a module as the program that it is; nothing where it runs none."""
    if program in _LAUNCHERS or program in frameworks.launchers():
        return _of_python(words)
    runner = next((runner for runner in _RUNNERS if runner.called.fullmatch(program)), None)
    return _after_options(runner, words) if runner else []


def _of_python(words: list[str]) -> list[str]:
    for at, word in enumerate(words):
        if word in ("-m", "--module"):
            return words[at + 1 :]
        if word.endswith(".py") or _PYTHON.called.fullmatch(PurePath(word).name):
            return words[at:]
    return []


def _after_options(runner: _Runner, words: list[str]) -> list[str]:
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if runner.code and runner.code.fullmatch(word):
            return []
        if word == "--" or (runner.module and runner.module.fullmatch(word)):
            return words[at:]
        if word in runner.with_value:
            at += 1
        elif not word.startswith(("-", "+")) and not (runner.setting and runner.setting.fullmatch(word)):
            return words[at - 1 :]
    return []
