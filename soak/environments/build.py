"""Builds an environment: a virtual environment with its pinned packages, then what npm installs."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from soak import __version__
from soak.environments import Environment
from soak.errors import SoakError, UsageError
from soak.plan.interpreter import environ_for

Say = Callable[[str], None]
NPM_OPTIONS = ("--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts")


def build(environment: Environment, python: str, pip_arguments: Sequence[str], say: Say) -> None:
    """Build it where it is to be; what was there before is removed. pip and npm print as they go.

    Args:
        environment: which.
        python: the interpreter that it is made with.
        pip_arguments: given to pip beside ours, such as an index.
        say: told of each step before it is done.

    Raises:
        SoakError: a step failed; it names the command.
        UsageError: npm is not installed, or another build of it goes on.
    """
    commands = steps(environment, python, pip_arguments)
    with _alone(environment.folder):
        if environment.folder.exists():
            say(f"removing {environment.folder}")
            shutil.rmtree(environment.folder)
        environment.folder.mkdir(parents=True)
        for command in commands:
            say(" ".join(command))
            _run(command, python)
        told = {"made_of": environment.made_of, "soak": __version__, "files": [file.name for file in environment.files]}
        environment.stamp.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def steps(environment: Environment, python: str, pip_arguments: Sequence[str]) -> list[list[str]]:
    """The commands that build it, in their order.

    Raises:
        UsageError: npm is needed, and not installed.
    """
    found: list[list[str]] = []
    pip = [str(environment.python), "-m", "pip", "install", "--disable-pip-version-check", *pip_arguments]
    if environment.requirements is not None:
        found.append([python, "-m", "venv", str(environment.folder)])
        found.append([*pip, "--requirement", str(environment.requirements)])
    if environment.without_dependencies is not None:
        found.append([*pip, "--no-deps", "--requirement", str(environment.without_dependencies)])
    if environment.node_package is not None:
        npm = shutil.which("npm")
        if npm is None:
            raise UsageError(f"environment {environment.name!r} needs npm, which is not installed: install Node.js 18+")
        found.append(["cp", str(environment.node_package), str(environment.folder / "package.json")])
        found.append([npm, "install", "--prefix", str(environment.folder), *NPM_OPTIONS])
    return found


def _run(command: Sequence[str], python: str) -> None:
    environ = environ_for("" if python == sys.executable else python, os.environ)
    # An environment of its own has nothing of the one that soak was started in.
    environ = {name: value for name, value in environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    try:
        status = subprocess.run(command, env=environ, check=False).returncode
    except OSError as error:
        raise SoakError(f"{command[0]} cannot be started: {error.strerror}") from error
    if status:
        raise SoakError(f"exit status {status} from: {' '.join(command)}")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else builds the same one meanwhile.

    Raises:
        UsageError: somebody does.
        SoakError: the folder cannot be made.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = (folder.parent / f".{folder.name}.lock").open("w")
    except OSError as error:
        raise SoakError(f"{folder.parent}: {error.strerror}; SOAK_ENVIRONMENTS names another folder") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"another `soak env {folder.name}` is building {folder}") from error
        yield
