"""Can this plan run here? Asked before anything is started: workloads, options, frameworks, interpreters, programs."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from soak.engine.clock import SystemClock
from soak.environments import advice_of, hint_of
from soak.errors import ConfigError, Problems
from soak.gpu.frameworks import sees_gpu
from soak.gpu.placement import Asked, PlacementError
from soak.gpu.pool import GpuPool
from soak.plan.config import Config
from soak.plan.interpreter import ask, problem
from soak.plan.member import Member
from soak.plan.plan import Trial
from workloads import catalog, executions, frameworks, sources
from workloads.modules import ModuleError
from workloads.needs import Needs, has_module, needs_of
from workloads.protocol.order import TrialSpec
from workloads.users import reference

STREAM_TIME = "stream_seconds"
"""The dose that a limit of stream time is held against."""
_MEMRAY = Needs({"memray": "soak[diagnose]"})
_ANY = "any"
"""In place of a framework: what a command uses is not known."""


def check(config: Config, plan: Sequence[Trial]) -> None:
    """Check every trial of a plan.

    Raises:
        ConfigError: what would not run, by file, key, value and what was expected; of each member the first.
    """
    found: dict[tuple[str, str, str], dict[int, ConfigError]] = {}
    for trial in plan:
        # Options may hold ports, which are not chosen yet: any will do here.
        ports = {name: 1 for member in trial.members for name in (member.name, *member.further)}
        for member in (each.placed(ports) for each in trial.members):
            where = f"trial {trial.name}" if len(trial.members) == 1 else f"trial {trial.name}: {member.name}"
            try:
                _member(config, where, member)
            except ConfigError as error:
                alike = error.key.removeprefix(where), str(error.value), error.expected
                found.setdefault(alike, {}).setdefault(trial.table, error)
    problems = Problems()
    for errors in found.values():
        problems.add(_once(list(errors.values())))
    problems.tell()


def _once(errors: Sequence[ConfigError]) -> ConfigError:
    """The first of errors that say the same of several tables, with how many others there are."""
    first, others = errors[0], len(errors) - 1
    if not others:
        return first
    more = f"; the same holds for {others} more [[trial]] table{'s'[: others != 1]}"
    return ConfigError(first.file, first.key, first.value, f"{first.expected}{more}")


def _member(config: Config, where: str, member: Member) -> None:
    if member.spec is None:
        _command(config, where, member)
        return
    _workload(config, where, member, member.spec)
    _interpreter(config, where, member.python)
    _stream(config, where, member, member.spec)
    _framework(config, where, member, member.spec)
    _instruments(config, where, member, member.spec)


def seat(config: Config, plan: Sequence[Trial], pool: GpuPool) -> None:
    """Find the GPUs of this machine, and give them out.

    Raises:
        ConfigError: a trial asks for one that is not there.
    """
    try:
        pool.open([_asked(trial) for trial in plan], _sees)
    except PlacementError as error:
        trial = next(t for t in plan if t.index == error.index)
        problem = f"{error}; {pool.hello.problem}" if pool.hello.problem else str(error)
        raise ConfigError(config.path, f"trial {trial.name}: device", ",".join(trial.wishes), problem) from error


def check_devices(config: Config, plan: Sequence[Trial]) -> None:
    """Whether this machine has the devices that trials name; one that takes whatever there is finds a place anywhere.

    Raises:
        ConfigError: a trial names one that is not there.
    """
    named = [trial for trial in plan if set(trial.wishes) - {"auto", "cpu"}]
    if named:
        with GpuPool(SystemClock(), float(config.run.sample_interval)) as pool:
            seat(config, named, pool)


def _asked(trial: Trial) -> Asked:
    """What it asks for, by the first of its members that gets a device."""
    member = next((each for each in trial.members if each.needs), trial.members[0])
    framework = member.spec.framework if member.spec else _ANY
    needs = any(each.spec is not None and _needs_gpu(each.spec) for each in trial.members)
    return Asked(trial.index, trial.block, trial.wishes, framework, member.python, needs)


def _sees(asked: Asked) -> bool:
    """Whether it can use a GPU; of a command nobody knows, so that it gets one."""
    return asked.framework == _ANY or sees_gpu(asked.framework, asked.python)


def _needs_gpu(spec: TrialSpec) -> bool:
    execution = executions.find(spec.framework, spec.execution)
    both = catalog.devices_of(catalog.load(spec.workload, spec.folder)), executions.devices_of(execution)
    return not all("cpu" in devices for devices in both)


def _command(config: Config, where: str, member: Member) -> None:
    folder, program = member.cwd or ".", member.argv[0]
    if not Path(folder).is_dir():
        raise ConfigError(config.path, f"{where}: cwd", member.cwd, "expected a folder that exists")
    _interpreter(config, where, member.python)
    path = {**os.environ, **member.env}.get("PATH", os.defpath)
    # A program with a slash in its name is looked for in the folder that it runs in.
    place = os.path.join(folder, program) if "/" in program else program  # noqa: PTH118  (./a is not a)
    if shutil.which(place, path=path) is None:
        expected = "expected a program that exists and may be executed"
        raise ConfigError(config.path, f"{where}: command", program, expected)
    _equipped(config, f"{where}: server", member.python, member.name, member.requires, path)


def _workload(config: Config, where: str, member: Member, spec: TrialSpec) -> None:
    try:
        if catalog.is_users(spec.workload):
            reference.check(spec.workload, spec.folder, here=not member.python)
        module = catalog.load(spec.workload, spec.folder)
        options = catalog.options_of(spec.workload, spec.options)
    except ModuleError as error:
        raise ConfigError(config.path, f"{where}: workload", spec.workload, str(error)) from error
    for key, value, known in (
        ("framework", spec.framework, module.FRAMEWORKS),
        ("mode", spec.mode, module.MODES),
        ("execution", spec.execution, executions.taken_by(module, spec.framework)),
    ):
        if value not in known:
            expected = f"{spec.workload} has {' and '.join(known)}"
            raise ConfigError(config.path, f"{where}: {key}", value, expected)
    _equipped(config, f"{where}: workload", member.python, spec.workload, needs_of(module, options))


def _equipped(config: Config, key: str, python: str, value: str, needs: Needs, path: str | None = None) -> None:
    """See that the interpreter and this machine have all of it. path: where its programs are looked for."""
    for lack in needs.lacks(lambda module: _has(python, module), python, path):
        advice = advice_of(lack.package, python)
        raise ConfigError(config.path, key, value, f"{lack}; {advice}" if advice else str(lack))


def _instruments(config: Config, where: str, member: Member, spec: TrialSpec) -> None:
    if spec.memray:
        _equipped(config, f"{where}: memray", member.python, "true", _MEMRAY)
    if spec.device_history and not hasattr(frameworks.load(spec.framework), "keep_history"):
        expected = f"expected a framework that records which code holds device memory; {spec.framework} does not"
        raise ConfigError(config.path, f"{where}: device_history", True, expected)


def _stream(config: Config, where: str, member: Member, spec: TrialSpec) -> None:
    known = catalog.sources_of(catalog.load(spec.workload, spec.folder))
    key, source = f"{where}: stream.source", spec.stream.source
    if source not in known:
        raise ConfigError(config.path, key, source, f"{spec.workload} takes {' or '.join(known)}")
    _equipped(config, key, member.python, source, sources.needs(spec.stream))
    if spec.stream_time is not None and STREAM_TIME not in sources.load(source).DOSES:
        hint = f"source {source!r} has no stream time: expected duration or steps"
        raise ConfigError(config.path, f"{where}: stream_time", spec.stream_time, hint)


def _interpreter(config: Config, where: str, python: str) -> None:
    if not python:
        return
    wrong = problem(python)
    if wrong:
        hint = hint_of(python)
        raise ConfigError(config.path, f"{where}: python", python, f"expected {wrong}{hint and '; '}{hint}")


def _framework(config: Config, where: str, member: Member, spec: TrialSpec) -> None:
    own = needs_of(frameworks.load(spec.framework))
    _equipped(config, f"{where}: framework", member.python, spec.framework, own)
    execution = needs_of(executions.find(spec.framework, spec.execution))
    _equipped(config, f"{where}: execution", member.python, spec.execution, execution)


@cache
def _has(python: str, module: str) -> bool:
    """Without importing it, in this interpreter or another."""
    if not python:
        return has_module(module)
    with contextlib.suppress(subprocess.TimeoutExpired, OSError, ValueError):
        found = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
        return ask(python, found, "-P") == 0
    return False
