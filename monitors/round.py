"""One pass over samplers that read the same target: each one contained, timed and counted.

A sampler that fails harms no other one and leaves a recorded gap, never a made-up value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from monitors.model import Event, MetricSpec, NoDataError, Sample, Sampler, StalledError, Target

ReadOutcome = Literal["ok", "no_data", "failed", "stalled"]
FAILURES = ("failed", "stalled")
"""Outcomes after which there is a gap that should not be there."""

SAMPLER_SECONDS = MetricSpec("sampler_seconds", "seconds", "Duration of a sampler's latest read")
SAMPLER_FAILURES = MetricSpec("sampler_failures", "count", "Failed reads of all samplers so far", counter=True)


@dataclass(frozen=True, slots=True)
class Health:
    """How one sampler does, as of its latest read."""

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
    health: dict[str, Health] = {}
    for result in results:
        samples += result.samples
        events += result.events
        for name, one in result.health.items():
            health[name] = _worse(health[name], one) if name in health else one
    return RoundResult(samples, events, health)


_WORST_FIRST: tuple[ReadOutcome, ...] = ("stalled", "failed", "ok", "no_data")


def _worse(one: Health, other: Health) -> Health:
    successes = [each.last_success for each in (one, other)]
    return Health(
        min(one.outcome, other.outcome, key=_WORST_FIRST.index),
        one.seconds + other.seconds,
        one.reads + other.reads,
        one.failures + other.failures,
        min((at for at in successes if at is not None), default=None) if None not in successes else None,
    )


@dataclass
class _State:
    due: float = -math.inf
    streak: int = 0
    reads: int = 0
    failures: int = 0
    last_success: float | None = None
    absences: set[str] = field(default_factory=set)
    health: Health | None = None


class Round:
    """Samplers of one scope, each with its own rhythm."""

    def __init__(self, samplers: Mapping[str, Sampler], clock: Callable[[], float]) -> None:
        """Make a round.

        Args:
            samplers: by name.
            clock: monotonic seconds; only times how long reads take.
        """
        self._samplers = samplers
        self._clock = clock
        self._states = {name: _State() for name in samplers}
        self._told: set[tuple[str, str, str]] = set()

    def take(self, target: Target, now: float) -> RoundResult:
        """Read every sampler that is due at `now` (monotonic seconds). Never raises what a sampler raises."""
        taken: dict[tuple[str, str, str], Sample] = {}
        events: list[Event] = []
        for name, sampler in self._samplers.items():
            if now >= self._states[name].due:
                samples = self._read(name, sampler, target, now, events)
                self._merge(name, samples, taken, now, events)
        health = {name: state.health for name, state in self._states.items() if state.health is not None}
        return RoundResult(tuple(taken.values()), tuple(events), health)

    def _read(self, name: str, sampler: Sampler, target: Target, now: float, events: list[Event]) -> list[Sample]:
        state = self._states[name]
        samples: list[Sample] = []
        outcome: ReadOutcome = "ok"
        began = self._clock()
        try:
            for sample in sampler.sample(target):
                samples.append(_checked(sample, sampler))  # noqa: PERF401 - what came before a failure stays
        except NoDataError as absence:
            outcome = "no_data"
            self._absent(name, str(absence), now, events)
        except Exception as error:  # noqa: BLE001 - the one place where a sampler is contained
            outcome = "stalled" if isinstance(error, StalledError) else "failed"
            self._failed(name, error, now, events)
        seconds = self._clock() - began
        state.reads += 1
        if outcome not in FAILURES:
            self._succeeded(name, now, events)
        # Rounds come a little early or late; without slack a read due just now would wait for the next one.
        state.due = now + sampler.interval - min(0.1, sampler.interval / 10)
        state.health = Health(outcome, seconds, state.reads, state.failures, state.last_success)
        return samples

    def _absent(self, name: str, reason: str, now: float, events: list[Event]) -> None:
        absences = self._states[name].absences
        if reason not in absences:
            absences.add(reason)
            events.append(Event(now, "no_data", f"{name}: {reason}", data={"sampler": name}))

    def _failed(self, name: str, error: Exception, now: float, events: list[Event]) -> None:
        state = self._states[name]
        state.failures += 1
        state.streak += 1
        if state.streak == 1:
            message = f"{name}: {type(error).__name__}: {error}"
            events.append(Event(now, "sampler_failed", message, data={"sampler": name}))

    def _succeeded(self, name: str, now: float, events: list[Event]) -> None:
        state = self._states[name]
        if state.streak:
            data = {"sampler": name, "failed_reads": state.streak}
            events.append(Event(now, "sampler_recovered", f"{name}: reads again, {state.streak} failed", data=data))
        state.streak, state.last_success = 0, now

    def _merge(
        self, name: str, samples: list[Sample], taken: dict[tuple[str, str, str], Sample], now: float,
        events: list[Event],
    ) -> None:  # fmt: skip
        for sample in samples:
            key = (sample.metric.name, sample.device, sample.label)
            if key not in taken:
                taken[key] = sample
            elif key not in self._told:
                self._told.add(key)
                message = f"{name}: {sample.metric.name}{sample.label and f' ({sample.label})'} was sampled already"
                events.append(Event(now, "duplicate_metric", message, data={"sampler": name}))


def _checked(sample: Sample, sampler: Sampler) -> Sample:
    if sample.metric not in sampler.specs:
        raise ValueError(f"{sample.metric.name} is not among the sampler's specs")
    if not math.isfinite(sample.value):
        raise ValueError(f"{sample.metric.name} is {sample.value}")
    return sample
