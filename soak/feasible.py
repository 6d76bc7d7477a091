"""Can this plan run here? Asked before anything is started: workloads, options, frameworks, interpreters."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache

from soak.config import Config
from soak.errors import ConfigError
from soak.gpu.frameworks import sees_gpu
from soak.gpu.placement import Asked, PlacementError
from soak.gpu.pool import GpuPool
from soak.interpreter import LOWEST, environ_for, too_old
from soak.plan import Trial
from workloads import catalog
from workloads.catalog import WorkloadError

EXTRAS = {"torch": "torch", "tensorflow": "tensorflow"}


def check(config: Config, plan: Sequence[Trial]) -> None:
    """Check every trial of a plan.

    Raises:
        ConfigError: the first thing that would not run, by file, key, value and what was expected.
    """
    for trial in plan:
        _workload(config, trial)
        _interpreter(config, trial)
        _stream(config, trial)
        _framework(config, trial)


def seat(config: Config, plan: Sequence[Trial], pool: GpuPool) -> None:
    """Find the GPUs of this machine, and give them out.

    Raises:
        ConfigError: a trial asks for one that is not there.
    """
    asked = [Asked(t.index, t.pair, t.device, t.spec.framework, t.python, _needs_gpu(t.spec.workload)) for t in plan]
    try:
        pool.open(asked, lambda trial: sees_gpu(trial.framework, trial.python))
    except PlacementError as error:
        trial = next(t for t in plan if t.index == error.index)
        problem = f"{error}; {pool.hello.problem}" if pool.hello.problem else str(error)
        raise ConfigError(config.path, f"trial {trial.name}: device", trial.device, problem) from error


def _needs_gpu(workload: str) -> bool:
    return "cpu" not in catalog.devices_of(catalog.load(workload))


def _workload(config: Config, trial: Trial) -> None:
    spec = trial.spec
    try:
        module = catalog.load(spec.workload)
        catalog.options_of(spec.workload, spec.options)
    except WorkloadError as error:
        raise ConfigError(config.path, f"trial {trial.name}: workload", spec.workload, str(error)) from error
    for key, value, known in (
        ("framework", spec.framework, module.FRAMEWORKS),
        ("mode", spec.mode, module.MODES),
    ):
        if value not in known:
            expected = f"{spec.workload} has {' and '.join(known)}"
            raise ConfigError(config.path, f"trial {trial.name}: {key}", value, expected)


def _stream(config: Config, trial: Trial) -> None:
    spec = trial.spec.stream
    if spec.source == "file" and not _has(trial.python, "av"):
        hint = f"PyAV is not installed in {trial.python or sys.executable}: pip install 'soak[video]'"
        raise ConfigError(config.path, f"trial {trial.name}: stream.source", spec.source, hint)


def _interpreter(config: Config, trial: Trial) -> None:
    if not trial.python:
        return
    if too_old(trial.python, tuple(environ_for(trial.python, os.environ).items())):
        expected = f"expected a Python interpreter of version {LOWEST[0]}.{LOWEST[1]} or newer; this one is older"
        raise ConfigError(config.path, f"trial {trial.name}: python", trial.python, expected)
    problem = _problem(trial.python)
    if problem:
        expected = f"expected the path of a Python interpreter{problem}"
        raise ConfigError(config.path, f"trial {trial.name}: python", trial.python, expected)


def _framework(config: Config, trial: Trial) -> None:
    framework = trial.spec.framework
    if not _has(trial.python, framework):
        where = trial.python or sys.executable
        hint = f"it is not installed in {where}: pip install 'soak[{EXTRAS[framework]}]', or name another `python`"
        raise ConfigError(config.path, f"trial {trial.name}: framework", framework, hint)


@cache
def _has(python: str, framework: str) -> bool:
    """Without importing it, in this interpreter or another."""
    if not python:
        return importlib.util.find_spec(framework) is not None
    with contextlib.suppress(subprocess.TimeoutExpired, OSError):
        return _asked(python, f"importlib.util.find_spec({framework!r}) is not None")
    return False


@cache
def _problem(python: str) -> str:
    """What keeps `python` from being an interpreter, as the end of a sentence; empty for nothing."""
    if "\0" in python or shutil.which(python) is None:
        return " that may be executed"
    try:
        return "" if _asked(python, "True") else "; this is none"
    except subprocess.TimeoutExpired:
        return f"; this one does not answer within {_PATIENCE:.0f} s"
    except OSError as error:
        return f"; this one cannot be started: {error.strerror}"


_PATIENCE = 30.0
"""Seconds that an interpreter may take to start."""


def _asked(python: str, question: str) -> bool:
    """The answer of an interpreter to a question. What it prints is not kept."""
    command = [python, "-P", "-c", f"import importlib.util, sys; sys.exit(not ({question}))"]
    nothing = subprocess.DEVNULL
    asked = subprocess.run(
        command, check=False, stdin=nothing, stdout=nothing, stderr=nothing, timeout=_PATIENCE,
        env=environ_for(python, os.environ),
    )  # fmt: skip
    return asked.returncode == 0
