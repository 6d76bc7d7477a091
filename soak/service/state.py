"""What is known now: which runs wait, which run and how, what became of the last ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from soak.engine.status import TrialStatus
from soak.runs import messages
from soak.runs.process import RunProcess
from soak.service.amounts import by_layer
from soak.service.curve import Curve
from soak.service.troubles import Troubles

if TYPE_CHECKING:
    from soak.service.admission import Admission
    from soak.service.connections import Connections

MAX_SILENCE = 60.0
"""Seconds without a word of a run, or a sample of a trial, after which they are not fresh."""


@dataclass
class Waiting:
    """A run that is due."""

    schedule: str
    device: str
    since: float
    """Unix time at which it was due."""
    free: float
    """Unix time since which its device is free: `max_wait` for other conditions begins there."""
    reason: str = ""
    """Why it has not started."""


@dataclass
class Now:
    """A run under way, as its messages tell."""

    schedule: str
    device: str
    process: RunProcess
    started: float
    """Unix time."""
    last_message: float
    """Unix time of the last message."""
    hello: messages.RunBegun | None = None
    tick: messages.Tick = field(default_factory=lambda: messages.Tick((), 0))
    judged: list[messages.TrialJudged] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    concluded: messages.RunConcluded | None = None
    stopping: str = ""
    """Why it was asked to end."""
    paused: bool = False
    curves: dict[str, dict[str, Curve]] = field(default_factory=dict)
    """By trial and layer."""

    @property
    def devices(self) -> list[str]:
        """Each of those that it keeps to itself."""
        return self.device.split(",")

    @property
    def run(self) -> str:
        """Its id, once it is known."""
        return self.hello.run if self.hello else ""


@dataclass
class ServiceCounts:
    """Since the service began."""

    runs: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By schedule and verdict."""
    trials: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By schedule and verdict."""
    alarms: Counter[str] = field(default_factory=Counter)
    sampler_failures: Counter[str] = field(default_factory=Counter)
    """Of trials that have ended, by sampler."""


class ServiceState:
    """Written by the runner, read by metrics, pages and the watchdog; all in one thread."""

    def __init__(self, layers: dict[str, str], troubles: Troubles | None = None) -> None:
        """Start empty; `layers` maps metrics to the layer whose bytes they are."""
        self.waiting: list[Waiting] = []
        self.now: dict[str, Now] = {}
        """By schedule."""
        self.last: dict[str, list[messages.TrialJudged]] = {}
        """Trials of the last finished run of each schedule."""
        self.counts = ServiceCounts()
        self.devices: dict[str, bool] = {}
        """Whether each device that a schedule uses is there."""
        self.troubles = troubles or Troubles()
        self.damaged = 0
        """Runs in the archive whose record cannot be read."""
        self.connections: Connections | None = None
        self.admission: Admission | None = None
        """Whose counts are told as metrics, where there is one."""
        self._layers = layers

    def on_message(self, now: Now, message: messages.Message, at: float) -> None:
        """Take over what a run tells at Unix time `at`."""
        now.last_message = at
        if isinstance(message, messages.RunBegun):
            now.hello = message
        elif isinstance(message, messages.Tick):
            self._tick(now, message, at)
        elif isinstance(message, messages.TrialJudged):
            now.judged.append(message)
            self.counts.trials[now.schedule, message.outlook.verdict] += 1
        elif isinstance(message, messages.Note):
            now.notes = [*now.notes[-19:], message.message]
        elif isinstance(message, messages.RunConcluded):
            now.concluded = message

    def _tick(self, now: Now, tick: messages.Tick, at: float) -> None:
        running = {trial.name for trial in tick.running}
        for before in now.tick.running:
            if before.name not in running:
                now.curves.pop(before.name, None)
                self.counts.sampler_failures.update({n: s.failures for n, s in before.samplers.items()})
        raised = {before.name: set(before.alarms) for before in now.tick.running}
        for trial in tick.running:
            self.counts.alarms[now.schedule] += len(set(trial.alarms) - raised.get(trial.name, set()))
            curves = now.curves.setdefault(trial.name, {})
            for layer, value in by_layer(trial, self._layers).items():
                curves.setdefault(layer, Curve()).add(trial.elapsed, value)
        now.tick = tick

    def finished(self, now: Now, verdict: str) -> None:
        """A run has ended."""
        self.now.pop(now.schedule, None)
        self.last[now.schedule] = now.judged
        self.counts.runs[now.schedule, verdict] += 1

    def stale(self, at: float) -> str:
        """What has not reported for too long at Unix time `at`; empty where all is fresh."""
        for now in self.now.values():
            if now.paused or now.concluded is not None:
                continue
            if at - now.last_message > MAX_SILENCE:
                return f"the run of {now.schedule} has not reported for {at - now.last_message:.0f} s"
            for trial in now.tick.running:
                if (age := unsampled(now, trial, at)) > MAX_SILENCE:
                    return f"trial {trial.name} of {now.schedule} has not been sampled for {age:.0f} s"
        return ""


def unsampled(now: Now, trial: TrialStatus, at: float) -> float:
    """Seconds at Unix time `at` since the last sample of a trial; since its spawn, before the first."""
    return (trial.elapsed if trial.sampled is None else trial.sampled) + at - now.last_message
