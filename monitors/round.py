"""One pass over samplers that read the same target: each one contained, timed and counted.

A sampler that fails harms no other one and leaves a recorded gap, never a made-up value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from monitors.model import Event, MetricSpec, NoDataError, Sample, Sampler, StalledError, Target

ReadOutcome = Literal["ok", "no_data", "failed", "stalled"]
FAILURES = ("failed", "stalled")
"""Outcomes after which there is a gap that should not be there."""

SAMPLER_SECONDS = MetricSpec("sampler_seconds", "seconds", "Duration of a sampler's latest read")
SAMPLER_FAILURES = MetricSpec("sampler_failures", "count", "Failed reads of all samplers so far", counter=True)


class Health(NamedTuple):
    """How one sampler does, as of its latest read; or as of the latest of each thing that it reads."""

    outcome: ReadOutcome
    seconds: float
    """Duration of that read."""
    reads: int
    """So far, failed ones included."""
    failures: int
    """So far."""
    last_success: float | None
    """Time of the latest round in which it did not fail; None before."""


@dataclass(frozen=True, slots=True)
class RoundResult:
    """What one round found."""

    samples: Sequence[Sample]
    events: Sequence[Event]
    """`t` is the time of the round, as `take` was given it."""
    health: Mapping[str, Health]
    """Of every sampler that was read at least once, by name."""

    def of_itself(self) -> Sequence[Sample]:
        """What the round says of its samplers: how long each took, how often they failed."""
        failures = sum(health.failures for health in self.health.values())
        each = (Sample(SAMPLER_SECONDS, health.seconds, name) for name, health in self.health.items())
        return (Sample(SAMPLER_FAILURES, float(failures)), *each)


def together(results: Iterable[RoundResult]) -> RoundResult:
    """Several results as that of one round. A sampler that was read for several members does as well as the worst."""
    samples: list[Sample] = []
    events: list[Event] = []
    health: dict[str, list[Health]] = {}
    for result in results:
        samples += result.samples
        events += result.events
        for name, one in result.health.items():
            health.setdefault(name, []).append(one)
    return RoundResult(samples, events, {name: _worst(of) for name, of in health.items()})


_WORST_FIRST: tuple[ReadOutcome, ...] = ("stalled", "failed", "ok", "no_data")


def _worst(of: Sequence[Health]) -> Health:
    if len(of) == 1:
        return of[0]
    outcomes, seconds, reads, failures, successes = zip(*of, strict=True)
    outcome = next(each for each in _WORST_FIRST if each in outcomes)
    last = None if None in successes else min(successes)
    return Health(outcome, sum(seconds), sum(reads), sum(failures), last)


class Round:
    """Samplers of one scope, each with its own rhythm."""

    def __init__(self, samplers: Mapping[str, Sampler], clock: Callable[[], float]) -> None:
        """Make a round.

        Args:
            samplers: by name.
            clock: monotonic seconds; only times how long reads take.
        """
        self._readings = [_Reading(name, sampler, clock) for name, sampler in samplers.items()]
        self._told: set[tuple[str, str, str]] = set()

    def take(self, target: Target, now: float) -> RoundResult:
        """Read every sampler that is due at `now` (monotonic seconds). Never raises what a sampler raises."""
        taken: dict[tuple[str, str, str], Sample] = {}
        events: list[Event] = []
        for reading in self._readings:
            if now < reading.due:
                continue
            for sample in reading.read(target, now, events):
                key = (sample.metric.name, sample.device, sample.label)
                if taken.setdefault(key, sample) is not sample and key not in self._told:
                    self._told.add(key)
                    message = f"{sample.metric.name}{sample.label and f' ({sample.label})'} was sampled already"
                    events.append(reading.event(now, "duplicate_metric", message))
        health = {reading.name: reading.health for reading in self._readings if reading.health is not None}
        return RoundResult(tuple(taken.values()), tuple(events), health)


class _Reading:
    """One sampler, contained: when it is due, and how it has done so far."""

    def __init__(self, name: str, sampler: Sampler, clock: Callable[[], float]) -> None:
        self.name, self._sampler, self._clock = name, sampler, clock
        self.due = -math.inf
        self.health: Health | None = None
        """None before the first read."""
        self._specs = {spec.name: spec for spec in sampler.specs}
        self._reads = self._failures = self._streak = 0
        self._last_success: float | None = None
        self._absences: set[str] = set()

    def read(self, target: Target, now: float, events: list[Event]) -> list[Sample]:
        """What it says now. events: gets what happened to it."""
        samples: list[Sample] = []
        outcome: ReadOutcome = "ok"
        began = self._clock()
        try:
            for sample in self._sampler.sample(target):
                samples.append(self._checked(sample))  # noqa: PERF401 - what came before a failure stays
        except NoDataError as absence:
            outcome = "no_data"
            self._absent(str(absence), now, events)
        except Exception as error:  # noqa: BLE001 - the one place where a sampler is contained
            outcome = "stalled" if isinstance(error, StalledError) else "failed"
            self._failed(error, now, events)
        seconds = self._clock() - began
        self._reads += 1
        if outcome not in FAILURES:
            self._succeeded(now, events)
        # Rounds come a little early or late; without slack a read due just now would wait for the next one.
        interval = self._sampler.interval
        self.due = now + interval - min(0.1, interval / 10)
        self.health = Health(outcome, seconds, self._reads, self._failures, self._last_success)
        return samples

    def event(self, now: float, kind: str, message: str, **data: object) -> Event:
        """Something that happened to it."""
        return Event(now, kind, f"{self.name}: {message}", data={"sampler": self.name, **data})

    def _checked(self, sample: Sample) -> Sample:
        metric = sample.metric
        known = self._specs.get(metric.name)
        # Nearly always the very same object, and to compare all of two costs more than to make a sample.
        if known is not metric and known != metric:
            raise ValueError(f"{metric.name} is not among the sampler's specs")
        if not math.isfinite(sample.value):
            raise ValueError(f"{metric.name} is {sample.value}")
        # A plug-in may read numbers of NumPy, which no message takes.
        return sample if type(sample.value) in (float, int) else sample._replace(value=float(sample.value))

    def _absent(self, reason: str, now: float, events: list[Event]) -> None:
        if reason not in self._absences:
            self._absences.add(reason)
            events.append(self.event(now, "no_data", reason))

    def _failed(self, error: Exception, now: float, events: list[Event]) -> None:
        self._failures += 1
        self._streak += 1
        if self._streak == 1:
            events.append(self.event(now, "sampler_failed", f"{type(error).__name__}: {error}"))

    def _succeeded(self, now: float, events: list[Event]) -> None:
        if self._streak:
            message = f"reads again, {self._streak} failed"
            events.append(self.event(now, "sampler_recovered", message, failed_reads=self._streak))
        self._streak, self._last_success = 0, now
