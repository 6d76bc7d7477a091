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
    """What the run folder and the report are called."""
    seed: Seed = 0
    """Of weights, streams and the order of trials; repeat N uses seed + N."""
    duration: Duration | None = None
    """Length of every trial without a limit of its own."""
    repeats: Repeats = 1
    """Trials of every combination, each with its own seed."""
    parallel: Threads = 1
    """Trials that run at the same time; at most one on each GPU."""
    device: Word = "auto"
    """What trials run on: "auto" (a GPU if there is one that the trial can use), "cpu", "cuda:N", or a UUID."""
    golden_interval: Interval = Interval(60.0)
    """Time between two replays of a clip whose outputs are known, which finds wrong results; 0 for never."""
    order: Literal["shuffled", "listed"] = "shuffled"
    """"shuffled": blocks, and the frameworks within a block, in a seeded random order; "listed": as in the config."""
    sample_interval: Duration = Duration(1.0)
    """Time between two samples of every layer of memory; at least 10 ms."""
    heartbeat_deadline: Duration = Duration(60.0)
    """A worker that is silent for longer is hung."""
    start_deadline: Duration = Duration(300.0)
    """Time for imports, building and the first step."""
    stop_grace: Duration = Duration(15.0)
    """Time between SIGTERM and SIGKILL when a trial is ended."""
    probes: Probes = True
    """Whether trials pause between steps now and then, clean up, and report what they still hold. "half": only in every
    second repeat, and the report says where that makes a difference."""
    controls: bool = False
    """Adds a planted leak and its clean twin for each framework; a missed leak or a flagged twin makes the run
    invalid."""
    confirm: bool = False
    """After a trial that may leak, run another that raises one dose at a time, to see which one the growth follows."""
    sandbox: bool = True
    """Trials may write only to temporary folders, caches and devices (Landlock)."""
    low_disk: Size = Size(512 * 1024**2)
    """With less free disk than this, only every tenth sample is taken."""
    min_free_disk: Size = Size(128 * 1024**2)
    """With less free disk than this, the run ends as invalid; everything recorded so far is kept."""
    folder: Place = ""
    """Folder that relative paths and modules of your own code start from; empty: the folder of the config."""
    only: list[Word] = dataclasses.field(default_factory=list)
    """Run only the trials whose names begin with one of these; empty: all. `--trial` replaces it."""
    out: Place = "runs"
    """Folder in which run folders are made, relative to the working directory. `--out` replaces it."""


@dataclasses.dataclass(frozen=True)
class JudgeTable:
    """`[judge]`: what counts as a leak."""

    min_rate: Rate = Rate(1024.0 * 1024.0)
    """Slower growth is not called a leak."""
    alarm: Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)] = 0.05
    """Chance of a false alarm over a whole trial while it runs; 0: no alarm."""
    stop_on_leak: bool = False
    """End a trial early when its alarm is raised."""


@dataclasses.dataclass(frozen=True)
class TrialTable:
    """`[[trial]]`: a workload, a command, or members; lists of framework, mode and execution are expanded."""

    workload: Word = ""
    """What is soaked: a name of `soak list workloads`, or your own code as `path/file.py:thing` or
    `package.module:thing`."""
    command: Command = dataclasses.field(default_factory=list)
    """Or a program and its arguments, soaked from outside."""
    cwd: Place = ""
    """Folder that a command runs in."""
    member: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    """Or `[[trial.member]]` tables: several processes that make one trial, such as a server and its client."""
    ranks: Ranks = 1
    """Processes of the workload or command, which find each other by RANK, WORLD_SIZE, MASTER_ADDR and TF_CONFIG. 1:
    as many as the execution is made of, such as 2 for "ddp"."""
    framework: list[Word] | Word = dataclasses.field(default_factory=lambda: list(frameworks.DEFAULTS))
    """See `soak list frameworks`. The default is both, or those that the workload has; your own code uses "none"."""
    mode: list[Mode] | Mode = "infer"
    """What a model does."""
    execution: list[Word] | Word = executions.DEFAULT
    """How the model is run; see `soak list executions`."""
    name: Word = ""
    """What the trial is called; by default the workload or program, with framework, mode and execution."""
    duration: Duration | None = None
    """The trial ends after this time."""
    stream_time: Duration | None = None
    """The trial ends after this much time of the stream (frames divided by frames per second)."""
    steps: Steps | None = None
    """The trial ends after this many steps."""
    repeats: Repeats | None = None
    """As `run.repeats`, for this trial."""
    threads: Threads = 1
    """Compute threads of the framework."""
    device: Word = ""
    """As `run.device`, for this trial."""
    devices: Count | list[Word] | None = None
    """GPUs that the trial gets: how many, or which. Ranks share them equally. All must be free, or none is taken."""
    python: Place = ""
    """Interpreter of another environment that has the framework: a path, or "env:NAME" of one built by `soak env`."""
    heartbeat_deadline: Duration | None = None
    """As `run.heartbeat_deadline`, for this trial. A command that calls `soak.beat()` is held to it from its first beat
    on; without this key it may be silent for any time."""
    memory_limit: Size | None = None
    """Memory limit of the trial, which ends above it: enforced by a cgroup, or from samples if there is none."""
    probes: Probes | None = None
    """As `run.probes`, for this trial."""
    tracemalloc: Frames = 0
    """Frames of Python that tracemalloc keeps of each block, so that the record names the lines that grow; 0: off.
    Slows steps down."""
    memray: bool = False
    """Record every allocation, native ones included, with memray. Slows steps down."""
    device_history: bool = False
    """Let the framework remember which stack allocated each block of device memory."""
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    """Environment variables of the trial."""
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Options of the workload; see `soak list workloads`."""
    stream: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Options of the source, over those of `[stream]`."""
    expect: Verdict | None = None
    """Makes the trial a control: the verdict that it must get."""
    expect_layer: list[Word] | Word = dataclasses.field(default_factory=list)
    """The layer, or layers, in which the control must leak."""
    expect_end: Word = ""
    """How the control must end: finished, oom, crashed, hung, nan."""
    planted: Rate | None = None
    """How fast the control leaks, for the report: the rate that the run has shown it can find."""
