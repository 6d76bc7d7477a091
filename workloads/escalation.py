"""A stream that gives more of one dose at a time, idle between: what growth follows is seen by when it grows.

Every dose comes at one, two and four times its lowest rate, in a drawn order, with a stretch of nothing after each.
Only the standard library, as the supervisor plans by it too.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from workloads import sources
from workloads.protocol.order import Escalation, StreamSpec
from workloads.protocol.source import Source

STEPS = "steps"
FACTORS = (1, 2, 4)
IDLE = 0.5
"""Of a phase's length: so long is nothing given after it."""


@dataclass(frozen=True, slots=True)
class DosePhase:
    """So much of one dose for so long; nothing where the factor is 0."""

    dose: str
    factor: int
    seconds: float


def doses_of(stream: StreamSpec) -> tuple[str, ...]:
    """What can be escalated of a source: steps, and what its options leave room for."""
    further = [dose for dose in _escalated(stream) if dose != STEPS]
    return (STEPS, *(dose for dose in further if _variant(stream, dose, FACTORS[-1]) is not None))


def duration(doses: int, seconds: float) -> float:
    """Seconds that all phases take, and the first, in which a workload settles."""
    return seconds * (1 + IDLE) * (doses * len(FACTORS) + 1)


def phases(escalation: Escalation, doses: tuple[str, ...]) -> Iterator[DosePhase]:
    """Without end: once all have been, steps at their lowest rate."""
    every = list(itertools.product(doses, FACTORS))
    random.Random(escalation.seed).shuffle(every)  # noqa: S311  (an order, not a secret)
    for dose, factor in [(STEPS, 1), *every]:
        yield DosePhase(dose, factor, escalation.seconds)
        yield DosePhase(dose, 0, IDLE * escalation.seconds)
    yield DosePhase(STEPS, 1, math.inf)


class Escalated:
    """The sources of all phases as one. Satisfies `workloads.protocol.source.Paced`."""

    def __init__(self, stream: StreamSpec, escalation: Escalation, seed: int) -> None:
        self._stream, self._seed, self._pace = stream, seed, escalation.pace
        doses = doses_of(stream)
        self._base = _variant(stream, STEPS, 1) or stream
        self._open: dict[str, Source] = {}
        self._phases = phases(escalation, doses)
        self._phase = next(self._phases)
        self._end = self._phase.seconds
        self._due = 0.0

    def next(self) -> Any:
        """The next item, of the phase that it is due in."""
        self._due += 1 / self._rate()
        while self._due > self._end or not self._phase.factor:
            self._due = max(self._due, self._end)
            self._phase = next(self._phases)
            self._end += self._phase.seconds
        return self._source().next()

    def _rate(self) -> float:
        """Items a second."""
        return self._pace * (self._phase.factor if self._phase.dose == STEPS else 1)

    def _source(self) -> Source:
        """The one that gives so much of that dose; opened once for all phases."""
        of_dose = None if self._phase.dose == STEPS else _variant(self._stream, self._phase.dose, self._phase.factor)
        spec = of_dose or self._base
        name = repr(sorted(spec.options.items()))
        if name not in self._open:
            self._open[name] = sources.open_source(spec, self._seed)
        return self._open[name]

    def due(self) -> float:
        """Seconds after the first step at which the latest item is due."""
        return self._due

    def doses(self) -> Mapping[str, float]:
        """Of all that were opened, added up."""
        total: dict[str, float] = {}
        for source in self._open.values():
            for name, amount in source.doses().items():
                total[name] = total.get(name, 0.0) + amount
        return total

    def close(self) -> None:
        """Let go of all."""
        for source in self._open.values():
            source.close()


def _escalated(stream: StreamSpec) -> Mapping[str, Callable[[Any, int], Any]]:
    """By dose, what makes of the options of a source those with so much of it; None where they leave no room."""
    found: Mapping[str, Callable[[Any, int], Any]] = getattr(sources.load(stream.source), "ESCALATES", {})
    return found


def _variant(stream: StreamSpec, dose: str, factor: int) -> StreamSpec | None:
    makes = _escalated(stream).get(dose)
    options = makes(sources.options_of(stream), factor) if makes else None
    return None if options is None else StreamSpec(stream.source, {**asdict(options)})
