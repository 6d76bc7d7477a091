"""A config file → checked values. Every error names the file, the key, the value and what was expected instead."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from soak.errors import ConfigError, Problems, missing_key
from soak.plan.config_tables import JudgeTable, RunTable, TrialTable
from soak.plan.member_table import MemberTable, check_devices, check_made_of, check_named, member_tables
from soak.plan.overrides import Overrides, written
from soak.plan.single_keys import check_environment, check_probes, check_python, check_wish
from soak.plan.stream import stream_of
from soak.plan.tables import convert, known_keys, read_toml, without_dates
from workloads import catalog, frameworks
from workloads.modules import ModuleError
from workloads.protocol.order import StreamSpec

MOST_TABLES = 1000
LEAST_INTERVAL = 0.01
"""Seconds between two samples."""


@dataclasses.dataclass(frozen=True)
class Config:
    """A whole config, checked."""

    path: Path
    text: str
    """What the same run can be started from, wherever it lies: the file as it was written; where it was overridden, or
    names users' own code, all tables as they are now, in TOML."""
    run: RunTable
    judge: JudgeTable
    trials: tuple[TrialTable, ...]
    streams: tuple[StreamSpec, ...]
    """The source of each trial table: `[stream]` with the trial's overrides."""
    members: tuple[tuple[MemberTable, ...], ...]
    """The member tables of each trial table."""
    member_streams: tuple[tuple[StreamSpec, ...], ...]
    """The source of each of them."""

    @property
    def folder(self) -> Path:
        """Where the paths of users' own code begin."""
        return Path(self.run.folder) if self.run.folder else self.path.parent.resolve()


def load(
    path: Path, overrides: Sequence[str] = (), duration: str | None = None, device: str | None = None,
    only: Sequence[str] = (),
) -> Config:  # fmt: skip
    """Read and check a config.

    Args:
        path: a TOML file.
        overrides: `key=value` texts; a key is a dotted path (`run.parallel`, `trial.0.options.kib`), a value TOML.
        duration: replaces every limit of every trial.
        device: replaces that of every trial.
        only: replaces `run.only`.

    Raises:
        ConfigError: it cannot be read or used.
    """
    return _changed(path, *read_toml(path), Overrides(overrides, duration, device, only))


def of_workload(
    workload: str, overrides: Sequence[str] = (), duration: str | None = None, device: str | None = None,
    only: Sequence[str] = (),
) -> Config:  # fmt: skip
    """The config of one workload without a file: paths begin in the working directory.

    Raises:
        ConfigError: it cannot be used.
    """
    raw: dict[str, Any] = {"trial": [{"workload": workload}]}
    return _changed(Path("--workload"), tomli_w.dumps(raw), raw, Overrides(overrides, duration, device, only))


def _changed(path: Path, text: str, raw: dict[str, Any], overrides: Overrides) -> Config:
    overrides.apply(raw)
    loaded = _check(path, overrides.text(text, raw), raw)
    workloads = [one.workload for one in loaded.trials] + [one.workload for those in loaded.members for one in those]
    if loaded.run.folder or not any(map(catalog.is_users, workloads)):
        return loaded
    # Its text is kept elsewhere, and a path in it would lead there.
    return dataclasses.replace(loaded, text=written(raw, {"folder": str(loaded.folder)}))


def of_tables(path: Path, raw: dict[str, Any], overrides: Sequence[str] = ()) -> Config:
    """As `load`, of tables that come from elsewhere. path: names them in errors."""
    Overrides(overrides).apply(raw)
    return _check(path, tomli_w.dumps(raw), raw)


def _check(path: Path, text: str, raw: dict[str, Any]) -> Config:
    """All of it, whatever else is wrong: a person is told everything at once."""
    problems = Problems()
    run, judge = None, JudgeTable()
    with problems.gathered():
        known_keys(path, "", raw, ("run", "stream", "judge", "trial"))
    with problems.gathered():
        run = _run(path, raw.get("run", {}))
    with problems.gathered():
        judge = convert(path, "judge", raw.get("judge", {}), JudgeTable)
    checked = []
    with problems.gathered():
        for number, table in enumerate(_tables(path, raw)):
            with problems.gathered():
                checked.append(_whole_trial(path, f"trial[{number}]", table, run, raw.get("stream", {})))
    if problems.any:
        # Said later otherwise, before anything starts, with the name of the trial; so far this does not come.
        _look_up(path, raw.get("trial"), problems)
    problems.tell()
    assert run is not None
    parts = ((one.trial, one.stream, one.members, one.their_streams) for one in checked)
    trials, streams, members, their_streams = (tuple(each) for each in zip(*parts, strict=True))
    return Config(path, text, run, judge, trials, streams, members, their_streams)


def _run(path: Path, table: object) -> RunTable:
    check_probes(path, "run", table)
    run = convert(path, "run", table, RunTable)
    check_wish(path, "run.device", run.device)
    if run.sample_interval < LEAST_INTERVAL:
        raise ConfigError(path, "run.sample_interval", float(run.sample_interval), "expected at least 10 ms")
    return run


def _tables(path: Path, raw: Mapping[str, Any]) -> list[Any]:
    tables = raw.get("trial")
    if not isinstance(tables, list) or not tables:
        raise missing_key(path, "trial", "expected at least one [[trial]] table that names a workload")
    if len(tables) > MOST_TABLES:
        raise missing_key(path, "trial", f"expected at most {MOST_TABLES:,} [[trial]] tables")
    return tables


def _look_up(path: Path, tables: object, problems: Problems) -> None:
    for number, table in enumerate(tables if isinstance(tables, list) else ()):
        name = table.get("workload") if isinstance(table, dict) else None
        if isinstance(name, str) and name and not catalog.is_users(name):
            try:
                catalog.load(name)
            except ModuleError as error:
                problems.add(ConfigError(path, f"trial[{number}].workload", name, str(error)))


@dataclasses.dataclass(frozen=True)
class _Whole:
    """A trial table with what belongs to it."""

    trial: TrialTable
    stream: StreamSpec
    members: tuple[MemberTable, ...]
    their_streams: tuple[StreamSpec, ...]


def _whole_trial(path: Path, key: str, table: Any, run: RunTable | None, shared: object) -> _Whole:
    trial = _trial(path, key, table)
    members = member_tables(path, key, trial.member)
    _made_of(path, key, table, trial, members, run)
    stream = stream_of(path, f"{key}.stream", shared, trial.stream, trial.workload)
    # A member may be a client, which takes another source than what it drives.
    theirs = tuple(
        stream_of(path, f"{key}.member[{n}].stream", shared, m.stream, m.workload) for n, m in enumerate(members)
    )
    return _Whole(trial, stream, members, theirs)


def _made_of(
    path: Path,
    key: str,
    table: Mapping[str, Any],
    trial: TrialTable,
    members: tuple[MemberTable, ...],
    run: RunTable | None,
) -> None:
    """What the keys of a trial say together. run: None where it is wrong itself, and says nothing of the trials."""
    check_made_of(path, key, table, members)
    check_devices(path, key, trial.devices, sum(member.needs for member in members), trial.ranks)
    for number, member in enumerate(members):
        check_environment(path, f"{key}.member[{number}].env", member.env)
    if run is not None:
        _with_run(path, key, trial, members, run)


def _with_run(path: Path, key: str, trial: TrialTable, members: tuple[MemberTable, ...], run: RunTable) -> None:
    if not isinstance(trial.devices, list):
        each = 1 if trial.devices is None else trial.devices
        needs = [member.needs for member in members] or [each] * trial.ranks
        check_named(path, f"{key}.device" if trial.device else "run.device", trial.device or run.device, needs)
    if run.duration is not None or any((trial.duration, trial.stream_time, trial.steps)):
        return
    # A program that is soaked from outside may end by itself.
    if trial.workload:
        expected = "expected --duration TIME, or run.duration, or duration, stream_time or steps here"
        raise missing_key(path, f"{key}.duration", expected)
    if members and all(member.workload for member in members):
        raise missing_key(path, f"{key}.duration", "expected a duration here, or run.duration")


def _trial(path: Path, key: str, table: object) -> TrialTable:
    check_probes(path, key, table)
    trial = convert(path, key, table, TrialTable)
    if isinstance(table, dict) and "framework" not in table:
        trial = dataclasses.replace(trial, framework=_usual_frameworks(trial.workload))
    if trial.device:
        check_wish(path, f"{key}.device", trial.device)
    if trial.device and trial.devices is not None and not isinstance(trial.devices, int):
        raise ConfigError(path, f"{key}.device", trial.device, "expected either device or a list of devices")
    check_environment(path, f"{key}.env", trial.env)
    check_python(path, f"{key}.python", trial.python)
    without_dates(path, f"{key}.options", trial.options)
    if (trial.expect_layer or trial.expect_end or trial.planted) and trial.expect is None:
        expected = "expected the verdict that expect_layer, expect_end or planted belongs to"
        raise missing_key(path, f"{key}.expect", expected)
    return trial


def _usual_frameworks(workload: str) -> list[str]:
    """Where a trial names none: of those by default the ones that its workload has, or else what it has."""
    if catalog.is_users(workload):
        return [frameworks.NONE]
    try:
        has = catalog.load(workload).FRAMEWORKS if workload else frameworks.DEFAULTS
    except ModuleError:
        return list(frameworks.DEFAULTS)  # what is wrong is said before anything starts, with the trial's name
    return [name for name in frameworks.DEFAULTS if name in has] or list(has)


def as_tuple(value: Sequence[str] | str) -> tuple[str, ...]:
    """A key that takes one name or a list of names."""
    return (value,) if isinstance(value, str) else tuple(value)
