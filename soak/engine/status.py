"""What is shown of a run while it runs, from the loop that runs it to progress, messages and the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from monitors.judgement import Judgement
from monitors.model import Sample
from monitors.round import Health
from soak.engine.lifecycle import Ending
from soak.judge.outlook import Outlook
from soak.judge.verdict import Verdict
from soak.plan.plan import Trial
from workloads.protocol import wire


class LastValue(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """The last value of one series."""

    metric: str
    value: float
    member: str = ""
    device: str = ""
    label: str = ""


class TrialStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """A trial that runs; what is unknown is None."""

    name: str
    workload: str
    framework: str
    mode: str
    device: str
    control: bool
    phase: str
    elapsed: float
    """Seconds since the spawn."""
    done: float | None = None
    """Share of the trial's limit reached, 0 to 1."""
    time_left: float | None = None
    bytes_per_hour: float | None = None
    """Estimate of the growth so far."""
    memory_bytes: float | None = None
    sampled: float | None = None
    """Seconds since the last round of samples; None before the first."""
    samples: tuple[LastValue, ...] = ()
    latency: tuple[float, ...] = ()
    """Steps that took at most each of `wire.LATENCY_BOUNDS`, then all steps, then the sum of their seconds."""
    samplers: Mapping[str, Health] = {}
    outlook: Outlook | None = None
    """As of the last look of the online alarm."""
    alarms: tuple[str, ...] = ()
    """Series that the alarm was raised for, sorted."""
    stream_seconds: float | None = None
    frames_per_second: float | None = None


Statuses = Callable[[], Sequence[TrialStatus]]
"""Makes the status of every trial that runs, for who shows it now: they are made of hundreds of values."""


class Listener(Protocol):
    """Who watches a run."""

    def begun(self, folder: Path, plan: Sequence[Trial]) -> None:
        """The run begins, recorded in `folder`."""

    def started(self, trial: Trial) -> None:
        """A trial's worker was spawned."""

    def ended(self, trial: Trial, end: Ending) -> None:
        """A trial's worker is gone."""

    def judged(self, trial: Trial, judgement: Judgement) -> None:
        """A trial has its verdict."""

    def noted(self, message: str) -> None:
        """Something the person at the terminal should know now."""

    def tick(self, running: Statuses, waiting: int) -> None:
        """Called at every turn of the loop, at least once a second."""

    def concluded(self, verdict: Verdict) -> None:
        """The run has its verdict."""


class Listeners:
    """Several listeners as one."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def begun(self, folder: Path, plan: Sequence[Trial]) -> None:
        """To each."""
        for listener in self._listeners:
            listener.begun(folder, plan)

    def started(self, trial: Trial) -> None:
        """To each."""
        for listener in self._listeners:
            listener.started(trial)

    def ended(self, trial: Trial, end: Ending) -> None:
        """To each."""
        for listener in self._listeners:
            listener.ended(trial, end)

    def judged(self, trial: Trial, judgement: Judgement) -> None:
        """To each."""
        for listener in self._listeners:
            listener.judged(trial, judgement)

    def noted(self, message: str) -> None:
        """To each."""
        for listener in self._listeners:
            listener.noted(message)

    def tick(self, running: Statuses, waiting: int) -> None:
        """To each."""
        for listener in self._listeners:
            listener.tick(running, waiting)

    def concluded(self, verdict: Verdict) -> None:
        """To each."""
        for listener in self._listeners:
            listener.concluded(verdict)


def share_done(trial: Trial, seconds: float, values: Mapping[str, float]) -> float | None:
    """How much of a trial's nearest limit is reached, 0 to 1; None where it has none."""
    spec = trial.spec
    shares = [
        seconds / spec.duration if spec.duration else None,
        values.get("stream_seconds", 0.0) / spec.stream_time if spec.stream_time else None,
        values.get("steps", 0.0) / spec.steps if spec.steps else None,
    ]
    known = [share for share in shares if share is not None]
    return min(1.0, max(known)) if known else None


class LastValues:
    """The last values of a trial's series, made once for each round, however often they are shown."""

    def __init__(self) -> None:
        self._samples: tuple[Sample, ...] = ()
        self._values: tuple[LastValue, ...] = ()

    def of(self, samples: tuple[Sample, ...]) -> tuple[LastValue, ...]:
        """Of the series that are told while a trial runs."""
        if samples is not self._samples:
            live = (s for s in samples if s.metric.live)
            self._values = tuple(LastValue(s.metric.name, s.value, s.member, s.device, s.label) for s in live)
            self._samples = samples
        return self._values


def latency_of(counters: Mapping[str, float]) -> tuple[float, ...]:
    """`TrialStatus.latency` from the counters of its workers; empty where they tell none."""
    if "step_latency_total_seconds" not in counters:
        return ()
    within = (counters.get(wire.bucket(bound), 0.0) for bound in wire.LATENCY_BOUNDS)
    return (*within, counters.get("steps", 0.0), counters["step_latency_total_seconds"])
