"""Can this plan run here? Asked before anything is started: workloads, options, frameworks, interpreters."""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache

from soak.errors import ConfigError
from soak.gpu.frameworks import sees_gpu
from soak.gpu.placement import Asked, PlacementError
from soak.gpu.pool import GpuPool
from soak.plan.config import Config
from soak.plan.interpreter import ask, problem
from soak.plan.plan import Trial
from workloads import catalog, executions, frameworks, sources
from workloads.modules import ModuleError
from workloads.users import reference

STREAM_TIME = "stream_seconds"
"""The dose that a limit of stream time is held against."""


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
    asked = [Asked(t.index, t.block, t.device, t.spec.framework, t.python, _needs_gpu(t)) for t in plan]
    try:
        pool.open(asked, lambda trial: sees_gpu(trial.framework, trial.python))
    except PlacementError as error:
        trial = next(t for t in plan if t.index == error.index)
        problem = f"{error}; {pool.hello.problem}" if pool.hello.problem else str(error)
        raise ConfigError(config.path, f"trial {trial.name}: device", trial.device, problem) from error


def _needs_gpu(trial: Trial) -> bool:
    spec = trial.spec
    execution = executions.find(spec.framework, spec.execution)
    both = catalog.devices_of(catalog.load(spec.workload, spec.folder)), executions.devices_of(execution)
    return not all("cpu" in devices for devices in both)


def _workload(config: Config, trial: Trial) -> None:
    spec = trial.spec
    try:
        if catalog.is_users(spec.workload):
            reference.check(spec.workload, spec.folder, here=not trial.python)
        module = catalog.load(spec.workload, spec.folder)
        catalog.options_of(spec.workload, spec.options)
    except ModuleError as error:
        raise ConfigError(config.path, f"trial {trial.name}: workload", spec.workload, str(error)) from error
    for key, value, known in (
        ("framework", spec.framework, module.FRAMEWORKS),
        ("mode", spec.mode, module.MODES),
        ("execution", spec.execution, executions.taken_by(module, spec.framework)),
    ):
        if value not in known:
            expected = f"{spec.workload} has {' and '.join(known)}"
            raise ConfigError(config.path, f"trial {trial.name}: {key}", value, expected)
    key = f"trial {trial.name}: workload"
    _installed(config, trial, key, spec.workload, getattr(module, "REQUIRES", {}))


def _installed(config: Config, trial: Trial, key: str, value: str, requires: Mapping[str, str]) -> None:
    """See that the interpreter has these modules. requires: what to install for each."""
    for module, extra in requires.items():
        if not _has(trial.python, module):
            where = trial.python or sys.executable
            hint = (
                f"it needs {module}, which is not installed in {where}: pip install '{extra}', or name another `python`"
            )
            raise ConfigError(config.path, key, value, hint)


def _stream(config: Config, trial: Trial) -> None:
    spec = trial.spec
    known = catalog.sources_of(catalog.load(spec.workload, spec.folder))
    key, source = f"trial {trial.name}: stream.source", spec.stream.source
    if source not in known:
        raise ConfigError(config.path, key, source, f"{spec.workload} takes {' or '.join(known)}")
    _installed(config, trial, key, source, sources.requires(spec.stream))
    if spec.stream_time is not None and STREAM_TIME not in sources.load(source).DOSES:
        hint = f"source {source!r} has no stream time: expected duration or steps"
        raise ConfigError(config.path, f"trial {trial.name}: stream_time", spec.stream_time, hint)


def _interpreter(config: Config, trial: Trial) -> None:
    if not trial.python:
        return
    wrong = problem(trial.python)
    if wrong:
        raise ConfigError(config.path, f"trial {trial.name}: python", trial.python, f"expected {wrong}")


def _framework(config: Config, trial: Trial) -> None:
    spec = trial.spec
    own = frameworks.load(spec.framework).REQUIRES
    _installed(config, trial, f"trial {trial.name}: framework", spec.framework, own)
    more = executions.find(spec.framework, spec.execution).REQUIRES
    _installed(config, trial, f"trial {trial.name}: execution", spec.execution, more)


@cache
def _has(python: str, module: str) -> bool:
    """Without importing it, in this interpreter or another."""
    if not python:
        return importlib.util.find_spec(module) is not None
    with contextlib.suppress(subprocess.TimeoutExpired, OSError, ValueError):
        found = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
        return ask(python, found, "-P") == 0
    return False
