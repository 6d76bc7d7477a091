"""A config file → checked values. Every error names the file, the key, the value and what was expected instead."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import tomli_w

from soak.errors import ConfigError, missing_key
from soak.plan.member_table import (
    Command,
    Count,
    MemberTable,
    Ranks,
    check_devices,
    check_made_of,
    check_named,
    member_tables,
)
from soak.plan.overrides import Overrides, written
from soak.plan.quantity import Duration, Interval, Rate, Size
from soak.plan.single_keys import check_environment, check_probes, check_wish
from soak.plan.stream import stream_of
from soak.plan.tables import convert, known_keys, read_toml, without_dates
from workloads import catalog, executions, frameworks
from workloads.protocol.order import StreamSpec

Mode = Literal["train", "infer"]
Verdict = Literal["pass", "leak", "unstable", "inconclusive", "invalid", "error"]
MOST_REPEATS = 1000
MOST_TABLES = 1000
Repeats = Annotated[int, msgspec.Meta(ge=1, le=MOST_REPEATS)]
Threads = Annotated[int, msgspec.Meta(ge=1, le=1024)]
Steps = Annotated[int, msgspec.Meta(ge=1, le=10**12)]
Seed = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
Frames = Annotated[int, msgspec.Meta(ge=0, le=1000)]
Word = Annotated[str, msgspec.Meta(max_length=500)]
Place = Annotated[str, msgspec.Meta(max_length=4096)]
Probes = bool | Literal["half"]
LEAST_INTERVAL = 0.01
"""Seconds between two samples."""


@dataclasses.dataclass(frozen=True)
class RunTable:
    """`[run]`: how the trials are executed."""

    name: Word = "soak"
    seed: Seed = 0
    duration: Duration | None = None
    """Of every trial that sets no limit of its own."""
    repeats: Repeats = 1
    """Trials of every combination, each with a seed of its own."""
    parallel: Threads = 1
    """Trials that run at the same time; on GPUs, one on each at most."""
    device: Word = "auto"
    """What trials run on: auto (a GPU where there is one that the framework can use), cpu, cuda:N, or a UUID."""
    golden_interval: Interval = Interval(60.0)
    """Between two replays of the golden clip, whose answer is known; 0 for none."""
    order: Literal["shuffled", "listed"] = "shuffled"
    """shuffled: blocks, and the frameworks within a block, in a seeded random order."""
    sample_interval: Duration = Duration(1.0)
    heartbeat_deadline: Duration = Duration(60.0)
    """A worker silent for longer is hung."""
    start_deadline: Duration = Duration(300.0)
    """Imports, building and the first step may take this long."""
    stop_grace: Duration = Duration(15.0)
    """Between TERM and KILL."""
    probes: Probes = True
    """Whether trials are asked, between two steps, what they hold after they cleaned up; "half": in every second
    repeat they are not, and the report says where that makes a difference."""
    controls: bool = False
    """Whether each framework gets a planted leak and its clean twin: what is missed or flagged makes a run invalid."""
    confirm: bool = False
    """Whether a trial that may leak is followed by one that escalates one dose at a time: what does growth follow?"""
    sandbox: bool = True
    """Whether trials are kept from writing anywhere but in temporary folders, caches and devices (Landlock)."""
    low_disk: Size = Size(512 * 1024**2)
    """With less room than this, every tenth sample is taken."""
    min_free_disk: Size = Size(128 * 1024**2)
    """With less room than this, the run ends as invalid; what was recorded stays whole."""
    folder: Place = ""
    """Where paths and modules of users' own code begin; empty is the folder of the config."""
    only: list[Word] = dataclasses.field(default_factory=list)
    """Names, or beginnings of names, of the trials to run; empty runs all. `--trial` replaces it."""
    out: Place = "runs"
    """Folder that run folders are made in, relative to the working directory."""


@dataclasses.dataclass(frozen=True)
class JudgeTable:
    """`[judge]`: what counts as a leak."""

    min_rate: Rate = Rate(1024.0 * 1024.0)
    """Growth slower than this is not called a leak."""
    alarm: Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)] = 0.05
    """Chance of a false alarm, over a whole trial, while it runs; 0 for no alarm."""
    stop_on_leak: bool = False
    """Whether an alarm ends its trial early."""


@dataclasses.dataclass(frozen=True)
class TrialTable:
    """`[[trial]]`: a workload, a command, or members; lists of framework, mode and execution are expanded."""

    workload: Word = ""
    command: Command = dataclasses.field(default_factory=list)
    """A program and its arguments, soaked from outside."""
    cwd: Place = ""
    """Folder that a command runs in."""
    member: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    """`[[trial.member]]` tables: see `MemberTable`."""
    ranks: Ranks = 1
    """Processes of the workload or command that find each other: RANK, WORLD_SIZE, MASTER_ADDR, TF_CONFIG."""
    framework: list[Word] | Word = dataclasses.field(default_factory=lambda: list(frameworks.DEFAULTS))
    mode: list[Mode] | Mode = "infer"
    execution: list[Word] | Word = executions.DEFAULT
    name: Word = ""
    duration: Duration | None = None
    stream_time: Duration | None = None
    steps: Steps | None = None
    repeats: Repeats | None = None
    threads: Threads = 1
    device: Word = ""
    """As `run.device`, for this trial."""
    devices: Count | list[Word] | None = None
    """GPUs that it gets, how many or which; of ranks, each its part. All are taken, or none."""
    python: Place = ""
    """Interpreter of another environment that holds the framework."""
    memory_limit: Size | None = None
    probes: Probes | None = None
    """As `run.probes`, for this trial."""
    tracemalloc: Frames = 0
    """Frames that tracemalloc keeps of each block of Python: the record names the lines that grow. 0 for none."""
    memray: bool = False
    """Whether memray follows every allocation, native ones too, into a file in the folder of the trial."""
    device_history: bool = False
    """Whether the framework remembers who holds device memory: the record names the stacks that grow."""
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    stream: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Overrides of `[stream]` for this trial."""
    expect: Verdict | None = None
    """Makes the trial a control: the verdict it must get."""
    expect_layer: list[Word] | Word = dataclasses.field(default_factory=list)
    expect_end: Word = ""
    """Makes the control ask for an end too: finished, oom, crashed, hung, nan."""
    planted: Rate | None = None
    """How fast a control leaks, for the report: the rate that the run was shown to find."""


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
    known_keys(path, "", raw, ("run", "stream", "judge", "trial"))
    check_probes(path, "run", raw.get("run"))
    run = convert(path, "run", raw.get("run", {}), RunTable)
    check_wish(path, "run.device", run.device)
    if run.sample_interval < LEAST_INTERVAL:
        raise ConfigError(path, "run.sample_interval", float(run.sample_interval), "expected 10 ms at least")
    judge = convert(path, "judge", raw.get("judge", {}), JudgeTable)
    tables = raw.get("trial")
    if not isinstance(tables, list) or not tables:
        raise missing_key(path, "trial", "expected at least one [[trial]] table that names a workload")
    if len(tables) > MOST_TABLES:
        raise missing_key(path, "trial", f"expected {MOST_TABLES:,} [[trial]] tables at most")
    trials = tuple(_trial(path, f"trial[{i}]", table) for i, table in enumerate(tables))
    members = tuple(member_tables(path, f"trial[{i}]", trial.member) for i, trial in enumerate(trials))
    for i, trial in enumerate(trials):
        _made_of(path, f"trial[{i}]", tables[i], trial, members[i], run)
    shared = raw.get("stream", {})
    streams = tuple(
        stream_of(path, f"trial[{i}].stream", shared, trial.stream, trial.workload) for i, trial in enumerate(trials)
    )
    # A member may be a client, which takes another source than what it drives.
    their_streams = tuple(
        tuple(
            stream_of(path, f"trial[{i}].member[{n}].stream", shared, m.stream, m.workload) for n, m in enumerate(those)
        )
        for i, those in enumerate(members)
    )
    return Config(path, text, run, judge, trials, streams, members, their_streams)


def _made_of(
    path: Path, key: str, table: Mapping[str, Any], trial: TrialTable, members: tuple[MemberTable, ...], run: RunTable
) -> None:
    check_made_of(path, key, table, members)
    check_devices(path, key, trial.devices, sum(member.needs for member in members), trial.ranks)
    if not isinstance(trial.devices, list):
        each = 1 if trial.devices is None else trial.devices
        needs = [member.needs for member in members] or [each] * trial.ranks
        check_named(path, f"{key}.device" if trial.device else "run.device", trial.device or run.device, needs)
    for number, member in enumerate(members):
        check_environment(path, f"{key}.member[{number}].env", member.env)
    limits = [name for name in ("duration", "stream_time", "steps") if getattr(trial, name) is not None]
    # A program that is soaked from outside may end by itself.
    if trial.workload and not limits and run.duration is None:
        expected = "expected --duration TIME, or run.duration, or duration, stream_time or steps here"
        raise missing_key(path, f"{key}.duration", expected)
    if members and all(member.workload for member in members) and not limits and run.duration is None:
        raise missing_key(path, f"{key}.duration", "expected a duration here, or run.duration")


def _trial(path: Path, key: str, table: object) -> TrialTable:
    check_probes(path, key, table)
    trial = convert(path, key, table, TrialTable)
    if catalog.is_users(trial.workload) and isinstance(table, dict) and "framework" not in table:
        trial = dataclasses.replace(trial, framework=frameworks.NONE)
    if trial.device:
        check_wish(path, f"{key}.device", trial.device)
    if trial.device and trial.devices is not None and not isinstance(trial.devices, int):
        raise ConfigError(path, f"{key}.device", trial.device, "expected either device or a list of devices")
    check_environment(path, f"{key}.env", trial.env)
    without_dates(path, f"{key}.options", trial.options)
    if (trial.expect_layer or trial.expect_end or trial.planted) and trial.expect is None:
        expected = "expected the verdict that expect_layer, expect_end or planted belongs to"
        raise missing_key(path, f"{key}.expect", expected)
    return trial


def as_tuple(value: Sequence[str] | str) -> tuple[str, ...]:
    """A key that takes one name or a list of names."""
    return (value,) if isinstance(value, str) else tuple(value)
