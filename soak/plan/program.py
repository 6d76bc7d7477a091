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
    with_value: re.Pattern[str]
    """Options whose value is the next word."""
    code: re.Pattern[str]
    """The option with or after which code stands, which has no name."""
    module: re.Pattern[str] | None = None
    """The option with or after which a module is named."""
    setting: re.Pattern[str] | None = None
    """What is no option, and not yet what it runs."""


_PYTHON = _Runner(
    re.compile(r"(python|pypy)[0-9.]*[a-z]?(\.exe)?"), re.compile("-[WX]|--check-hash-based-pycs"),
    code=re.compile("-|-[bBdEiIOPqRsSuvx]*c.*", re.DOTALL), module=re.compile("-[bBdEiIOPqRsSuvx]*m(?P<name>.*)"),
)  # fmt: skip
_SHELL = _Runner(
    re.compile("(ba|da|z|k)?sh"), re.compile("[-+][a-zA-Z]*[oO]|--rcfile|--init-file"), code=re.compile("-[a-zA-Z]*c")
)
_RUNNERS = (
    _PYTHON,
    _SHELL,
    _Runner(
        re.compile("env|nice|nohup|setsid"), re.compile("-[uCn]|--unset|--chdir|--adjustment"),
        code=re.compile("-S.*|--split-string.*", re.DOTALL), setting=re.compile("[^=]+=.*", re.DOTALL),
    ),
)  # fmt: skip
_LAUNCHERS = {"uv", "coverage"}
"""As those of frameworks they start a Python program, and have too many options to tell which of these take a value."""
_STARTERS = {"mpirun", "mpiexec", "srun", "horovodrun", "poetry", "conda", "timeout"}
"""These start any program: what they run is only told where that is an interpreter."""
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
    if program in _STARTERS:
        return _from_interpreter(words)
    runner = next((runner for runner in _RUNNERS if runner.called.fullmatch(program)), None)
    return _after_options(runner, words) if runner else []


def _of_python(words: list[str]) -> list[str]:
    for at, word in enumerate(words):
        if word in ("-m", "--module"):
            return words[at + 1 :]
        if word.endswith(".py") or _is_interpreter(word):
            return words[at:]
    return []


def _from_interpreter(words: list[str]) -> list[str]:
    return next((words[at:] for at, word in enumerate(words) if _is_interpreter(word)), [])


def _is_interpreter(word: str) -> bool:
    name = PurePath(word).name
    return any(runner.called.fullmatch(name) for runner in (_PYTHON, _SHELL))


def _after_options(runner: _Runner, words: list[str]) -> list[str]:
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if runner.code.fullmatch(word):
            return []
        if runner.module and (found := runner.module.fullmatch(word)):
            return [found["name"], *words[at:]] if found["name"] else words[at:]
        if word == "--":
            return words[at:]
        if runner.with_value.fullmatch(word):
            at += 1
        elif not word.startswith(("-", "+")) and not (runner.setting and runner.setting.fullmatch(word)):
            return words[at - 1 :]
    return []
