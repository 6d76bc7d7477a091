"""What a person may know of a run while it runs, and who tells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from monitors.model import Sample
from monitors.round import Health
from soak.engine.lifecycle import Ending
from soak.judge.verdict import Verdict
from soak.plan.plan import Trial


@dataclass(frozen=True, slots=True)
class TrialStatus:
    """A running trial for the progress display; unknown values are None."""

    trial: Trial
    phase: str
    elapsed: float
    """Seconds since the spawn."""
    done: float | None
    """Share of the trial's limit reached, 0 to 1."""
    time_left: float | None
    stream_seconds: float | None
    frames_per_second: float | None
    memory_bytes: float | None
    bytes_per_hour: float | None
    """Estimate of the growth so far."""
    samples: Sequence[Sample] = ()
    """The last value of every series."""
    counters: Mapping[str, float] = field(default_factory=dict)
    """The worker's latest beat."""
    health: Mapping[str, Health] = field(default_factory=dict)
    """Of its samplers."""
    sampled: float | None = None
    """Seconds since the last round of samples; None before the first."""
    seen: Mapping[str, Any] | None = None
    """What the last look of the online alarm found."""
    alarms: frozenset[str] = frozenset()
    """Series that the alarm was raised for."""


class Listener(Protocol):
    """Who watches a run."""

    def begun(self, folder: Path, plan: Sequence[Trial]) -> None:
        """The run begins, recorded in `folder`."""

    def started(self, trial: Trial) -> None:
        """A trial's worker was spawned."""

    def ended(self, trial: Trial, end: Ending) -> None:
        """A trial's worker is gone."""

    def judged(self, trial: Trial, body: Mapping[str, Any]) -> None:
        """A trial has its verdict."""

    def noted(self, message: str) -> None:
        """Something the person at the terminal should know now."""

    def tick(self, running: Sequence[TrialStatus], waiting: int) -> None:
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

    def judged(self, trial: Trial, body: Mapping[str, Any]) -> None:
        """To each."""
        for listener in self._listeners:
            listener.judged(trial, body)

    def noted(self, message: str) -> None:
        """To each."""
        for listener in self._listeners:
            listener.noted(message)

    def tick(self, running: Sequence[TrialStatus], waiting: int) -> None:
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
