"""The nouns of observation: target, metric, sample, event, finding. Plain values without behaviour of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from monitors.gpu import Snapshot

Unit = Literal["bytes", "count", "seconds", "ratio", "value"]

Owner = Literal["process", "machine", ""]

SamplerScope = Literal["node", "trial", "member", "beat", "probe", "device", "member_device"]
"""What one read of a sampler is about: the machine and soak itself, a trial as a whole, one process tree of it, what
that tells of itself, what it found when it was probed, one of its devices as a whole, or what one process tree holds on
one device. It is read once for each of those; beats are not where none ever came, and probes only after one."""

LAYERS: tuple[str, ...] = (
    # Innermost first: a leak lives in the first of these that grows.
    "python_objects", "host_heap", "heap_held", "mmap", "pinned", "anonymous", "shared", "file", "kernel", "total",
    "fds", "threads", "children", "gpu_allocated", "gpu_reserved", "gpu_residual", "gpu_process", "gpu_device",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """What a metric is: `name` is its stem everywhere (record, report, `soak_<name>` when scraped)."""

    name: str
    unit: Unit
    help: str
    layer: str | None = None
    """The layer of `LAYERS` whose amount this is; None where it is not an amount held."""
    judged: bool = False
    """Whether growth of this metric can be a leak."""
    counter: bool = False
    """Only ever rises within one trial (steps, CPU seconds)."""
    unjudged: str = ""
    """Why growth of it is no leak by itself, where it is an amount and not judged."""
    live: bool = True
    """Whether its values are told while a trial runs, also to Prometheus: not where texts of strangers label them."""
    owner: Owner = "process"
    """Whose amount it is: of the processes that are tested, or of a whole machine; empty where that is not known."""


class Sample(NamedTuple):
    """One value of one metric, at the time of the round that took it. A tuple: hundreds are made in every round."""

    metric: MetricSpec
    value: float
    label: str = ""
    """Tells apart several series of one metric by what is neither a member nor a device (a sampler, a line of code)."""
    member: str = ""
    """The member of the trial that it is about; empty for the trial as a whole, and where it has a single member."""
    device: str = ""
    """The device that it is about, cuda:N; empty for what is on none, and where there is a single one."""

    @property
    def series(self) -> tuple[str, str, str, str]:
        """What tells its series apart in a trial: metric, member, device and label."""
        return self.metric.name, self.member, self.device, self.label


@dataclass(frozen=True, slots=True)
class Roots:
    """Where the machine is read from; tests point these at recorded trees."""

    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    shm: Path = Path("/dev/shm")  # noqa: S108  (read, not written)


@dataclass(frozen=True, slots=True)
class Target:
    """What may be sampled in one round, as far as it is known."""

    pid: int | None = None
    """Root process of the member's process tree; of the first member, for a sampler of the trial."""
    beat: Mapping[str, float] = field(default_factory=dict)
    """The worker's latest counters, by metric name."""
    beat_number: int = 0
    """How many beats have come; unchanged means that `beat` is the one of the last round."""
    beat_age: float | None = None
    """Seconds since that beat."""
    cgroup: Path | None = None
    """The trial's own cgroup directory (v2), or its memory-controller directory (v1)."""
    tester_pid: int | None = None
    """soak's own process."""
    devices: tuple[str, ...] = ()
    """Names of the member's devices, in the order in which it sees them, where the series of its trial name theirs. One
    that is not known yet is empty."""
    device: str = ""
    """UUID of the GPU that is read, which the trial has to itself; empty on the processor."""
    device_index: int | None = None
    """Its place among `devices`; None where the member has one."""
    gpu: Snapshot | None = None
    """What was last read of that GPU; None before the first reading."""
    gpu_stalled: str = ""
    """What is wrong where its driver gives no answer; empty while it does."""
    memo: dict[object, object] = field(default_factory=dict, compare=False, repr=False)
    """What the sources of one round read once for several samplers. Dies with the target: one target, one round."""
    strays: frozenset[int] = frozenset()
    """Processes of the member that left its tree, where no cgroup tells them."""
    probe: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """What it held after each stage of a probe, by metric name."""
    probe_seconds: float = 0.0
    """That the probe took."""


class NoDataError(Exception):
    """The source does not exist here (no cgroup, no swap, an old kernel). Not a failure: the value is absent."""


class StalledError(Exception):
    """The source gives no answer, and may again later. A failure, told apart from those that end at once."""


class Sampler(Protocol):
    """Reads one source and yields samples.

    One file in `monitors/samplers/` defines one, as `SAMPLER: type[Sampler]`. Constructed once for each thing that its
    scope is about; which member and device that is, its samples need not say. It raises `NoDataError` where its source
    does not exist and leaves any other exception to the round, which contains, times and counts it. A value that cannot
    be known is left out, never 0.
    """

    specs: tuple[MetricSpec, ...]
    scope: SamplerScope
    interval: float
    """Seconds between two reads; 0 reads in every round."""

    def __init__(self, roots: Roots) -> None: ...

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read now."""
        ...


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: a gap, a missed beat, a restart, a limit reached.

    `t` is seconds since the trial began (since the run began where `trial` is None); `wall` is a Unix time.
    """

    t: float
    kind: str
    message: str
    trial: int | None = None
    wall: float = 0.0
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loss:
    """What was sampled of a trial, and what of it cannot be read any more."""

    rounds: int = 0
    """Rounds that were written."""
    lost: int = 0
    """Of these, damaged and left out."""
    series: int = 0
    """Series that are damaged and left out."""
    torn: bool = False
    """Whether more may be lost than could be counted."""


SeriesVerdict = Literal["leak", "pass", "inconclusive"]
SHAPES = (
    "flat", "warm-up", "saturating", "step", "periodic", "linear", "late onset", "accelerating", "unknown",
)  # fmt: skip
"""Of growth over a trial."""


@dataclass(frozen=True, slots=True)
class RatePerDose:
    """Growth for each unit of something consumed (a step, a trace, a frame), in the series' unit."""

    rate: float
    ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class DoseRates:
    """Growth regressed on all doses and on time at once: none is given what another explains."""

    rates: Mapping[str, RatePerDose]
    """By the name of the dose; time is `hours`. Each of several that rise together is given all that they explain."""
    together: tuple[tuple[str, ...], ...] = ()
    """Doses that rise together, so that they cannot be told apart."""
    follows: tuple[str, ...] = ()
    """Those that growth surely follows, by a tenth of it at least; of doses that rise together the first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement about one series, with its evidence. Rates are in the series' unit per hour."""

    detector: str
    series: str
    layer: str | None
    unit: Unit
    verdict: SeriesVerdict
    leak_probability: float | None
    """None where the series is too short or too broken to say."""
    calibrated: bool
    """Whether the probability was shown to mean what it says, on series like this one."""
    rate_per_hour: float | None
    rate_per_hour_ci95: tuple[float, float] | None
    rate_per_step: float | None
    minimum_detectable_rate_per_hour: float | None
    shape: str
    """One of `SHAPES`."""
    reason: str
    """The verdict in words, for a person."""
    samples: int
    gaps: int
    growth: float | None = None
    """Fitted growth over the judged part, in the series' unit."""
    judged_from: float | None = None
    """Seconds at which the judged part begins (what is before is burn-in)."""
    onset: float | None = None
    """Seconds at which a late growth begins; None where it grows from the start."""
    noise: float | None = None
    """Standard deviation about the fit, in the series' unit."""
    evidence: float | None = None
    """Log odds of lasting growth before they were calibrated, in nats."""
    traits: Mapping[str, float] = field(default_factory=dict)
    """What says how like those the calibration has seen the series is, by name."""
    rate_per_step_ci95: tuple[float, float] | None = None
    rate_per_dose: Mapping[str, RatePerDose] = field(default_factory=dict)
    """By the name of the dose, as if all growth were by that one alone; see `by_dose`."""
    by_dose: DoseRates | None = None
    """What it follows of all doses together; None where nothing grows, or too little was sampled to say."""
    unseen_seconds: float = 0.0
    """In gaps too long to be overlooked, up to the end of the trial; with any at the end it cannot pass."""
    restarts: int = 0
    """How often the process was seen to start anew."""
    hours_to_exhaustion: float | None = None
    """Until the limit is reached at this rate; None where none is known or nothing grows."""
    hours_to_exhaustion_ci95: tuple[float, float | None] | None = None
    """The later end is None where the rate may be 0."""
    member: str = ""
    """Whose series it is; empty for the trial as a whole, and where it has a single member."""
    device: str = ""
    """The device that it is on; empty for none, and where there is a single one."""
    process: str = ""
    """The process of the member's tree that grew; empty where it has a single one, or none stands out."""
