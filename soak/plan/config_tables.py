"""`[run]`, `[judge]` and `[[trial]]` of a config: their keys, what each takes, and what it is where nobody says."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

import msgspec

from soak.plan.member_table import Command, Count, Ranks
from soak.plan.quantity import Duration, Interval, Rate, Size
from workloads import executions, frameworks

Mode = Literal["train", "infer"]
Verdict = Literal["pass", "leak", "unstable", "inconclusive", "invalid", "error"]
MOST_REPEATS = 1000
Repeats = Annotated[int, msgspec.Meta(ge=1, le=MOST_REPEATS)]
Threads = Annotated[int, msgspec.Meta(ge=1, le=1024)]
Steps = Annotated[int, msgspec.Meta(ge=1, le=10**12)]
Seed = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
Frames = Annotated[int, msgspec.Meta(ge=0, le=1000)]
Word = Annotated[str, msgspec.Meta(max_length=500)]
Place = Annotated[str, msgspec.Meta(max_length=4096)]
Probes = bool | Literal["half"]


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
