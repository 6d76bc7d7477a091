"""What a report may ask of a run. The store of soak satisfies `RunRecord` structurally; neither imports the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from monitors.detection.series import Series
from monitors.judgement import Judgement, TrialVerdict
from monitors.model import Event, Loss


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One execution of a config."""

    run_id: str
    name: str
    soak_version: str
    command: str
    """The command line that started it."""
    config_path: str
    config_text: str
    """The config with everything that the command line set, as TOML: the same run can be started from it."""
    seed: int
    started: float
    """Unix time."""
    ended: float | None
    """Unix time; None where the run has not ended, or did not live to say so."""
    verdict: str | None
    """pass, leak, unstable, inconclusive, invalid or error; None while unfinished."""
    reason: str
    environment: Mapping[str, str] = field(default_factory=dict)
    """Machine and tester: CPU, memory, kernel, THP, limits, versions."""


@dataclass(frozen=True, slots=True)
class TrialInfo:
    """One workload, one seed, one duration, in one fresh process tree."""

    index: int
    name: str
    workload: str
    framework: str
    mode: str
    execution: str
    seed: int
    block: str
    """Equal for trials that may be compared: of one workload, seed, source, limit and device model."""
    arm: str
    """What is compared within a block: framework, execution, versions; of programs, what they are called."""
    state: str
    """planned, running or ended."""
    device: str = "cpu"
    """The GPUs that it had, cuda:N with commas between, or cpu."""
    started: float | None = None
    """Unix time."""
    seconds: float | None = None
    """How long it ran, spawn to end; None before the end."""
    judged_until: float | None = None
    """Seconds since it began up to which its samples are judged: what comes after the last step, or before the end of a
    program that ends by itself, is its end, which lets go of memory. None for all of them."""
    end_reason: str = ""
    """finished, stopped, interrupted, crashed, hung, oom, nan, failed, corrupted, wrong_answer, broken, exhausted,
    lost, low_disk, device_lost; or empty."""
    end_message: str = ""
    judgement: Judgement | None = None
    """None before it was judged."""
    expect: str | None = None
    """The known truth of a control: the verdict it must get; None for a trial under test."""
    expect_layers: tuple[str, ...] = ()
    """Layers of which a control's leak must be found in one; empty: any."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The trial as ordered: options, stream, limits, threads."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the child says of itself: versions, threads, allocator."""
    last_values: Mapping[str, float] = field(default_factory=dict)
    """Its last beat, by metric name: the final doses. It comes after the last round of samples."""

    @property
    def verdict(self) -> TrialVerdict | None:
        """pass, leak, unstable, inconclusive, invalid or error; None before it was judged."""
        return self.judgement.verdict if self.judgement else None


class RunRecord(Protocol):
    """A run as recorded so far; readable at any moment, whatever ended it."""

    def run(self) -> RunInfo:
        """What was asked and how it ended."""
        ...

    def trials(self) -> Sequence[TrialInfo]:
        """In the order of the plan."""
        ...

    def events(self) -> Sequence[Event]:
        """Oldest first."""
        ...

    def series(self, trial: int) -> Sequence[Series]:
        """Every series of a trial, judged or not."""
        ...

    def loss(self, trial: int) -> Loss:
        """What is lost of a trial's samples."""
        ...

    def damage(self) -> Sequence[str]:
        """What could not be read of all that was asked for so far, each in a sentence."""
        ...
