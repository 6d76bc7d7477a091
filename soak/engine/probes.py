"""The probes of one trial: when one is due, before which step, and what came back. Time is an argument."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

from workloads.protocol import wire

WANTED, LEAST = 16, 14
"""Probes in a trial, or more: twelve floors are enough to judge by. And where probes are dear: two may be late."""
SHARE, MOST_SHARE, UTMOST_SHARE = 0.004, 0.05, 0.2
"""Of the time that probes may take; where a trial is too short for `WANTED` of them at that price; and where it is too
short for `LEAST` even then, as a short one is on a slow or busy machine."""
LEAST_INTERVAL, USUAL_INTERVAL = 2.0, 60.0
"""Seconds between two: never less, and in a long trial no more where that costs little enough."""
_GUESS = 0.1
"""Seconds that a probe takes, before one was taken: a collection over all objects of a framework."""
_MARGIN = 0.5
"""Of the time between two, that is left after the last: what is read once a trial has ended its work is not judged."""
_BREATH = 1.0
"""Seconds of work between two, however dear they are."""
_RECENT = 5
"""Probes whose mean tells what the next one costs."""
_AGAIN = 1.0
"""Seconds after which it is seen again whether somebody can be asked."""
_AHEAD = 1.5
"""Seconds, besides the time since its last beat, in which the fastest rank must not come to the step that is named."""


def interval(cost: float, duration: float | None, elapsed: float, taken: int = 0) -> float:
    """Seconds from the beginning of one probe to that of the next.

    Args:
        cost: seconds that one takes.
        duration: of the trial; None where that is not known: then they come ever more seldom.
        elapsed: seconds that it has run for.
        taken: probes, so far.
    """
    length = duration or max(elapsed, 30.0)
    cheap = max(cost / SHARE, min(USUAL_INTERVAL, length / 60))
    often = max(cost / MOST_SHARE, length / WANTED)
    enough = max(cost / UTMOST_SHARE, _even(duration, elapsed, taken))
    return max(LEAST_INTERVAL, min(cheap, often, enough))


def _even(duration: float | None, elapsed: float, taken: int) -> float:
    """Seconds between those of `LEAST` that are left, if they are shared out over what is left of the trial.

    So those that came late, as one was dear or a step long, are made up for. Of a trial of unknown length, over what it
    has run for.
    """
    if duration is None:
        return max(elapsed, 30.0) / LEAST
    return max(0.0, duration - elapsed) / (LEAST - taken + _MARGIN) if taken < LEAST else math.inf


class Probed(Protocol):
    """A member that can be asked."""

    @property
    def name(self) -> str:
        """It, among the members of its trial."""
        ...

    @property
    def pace(self) -> tuple[float, float, float]:
        """Steps by its last beat, steps a second, seconds since that beat."""
        ...

    def ask(self, number: int, step: int) -> None:
        """For this probe, before the first step after that one."""
        ...

    def answer(self, number: int) -> wire.Probe | None:
        """To that probe, once it has come."""
        ...


def step_ahead(members: Iterable[Probed]) -> int:
    """A step that none of them has come to when it hears of it, so that all are asked for the same one."""
    return math.ceil(max(steps + rate * (since + _AHEAD) for steps, rate, since in (m.pace for m in members))) + 1


class Probes:
    """Times are seconds of the trial's work: they begin with its first step."""

    def __init__(self, duration: float | None, together: bool, patience: float = 60.0) -> None:
        """None was taken yet.

        duration: of the trial, if that is known. together: whether its members work step by step with each other.
        patience: seconds after which an answer is not waited for any more. A probe that hangs is not its concern.
        """
        self._duration, self._together, self._patience = duration, together, patience
        self._asked_at = 0.0
        self._number = 0
        self._due: float | None = None
        self._taken = 0
        """Probes that all answered."""
        self._costs: deque[float] = deque(maxlen=_RECENT)
        """Seconds that the last ones took."""
        self._asked: list[Probed] = []
        """Who has yet to answer, or has."""

    def poll(self, elapsed: float, members: Sequence[Probed]) -> dict[str, wire.Probe]:
        """Ask where it is time; the answers to one probe, by member, once all have come.

        elapsed: seconds. members: those that can be asked now.
        """
        if self._asked:
            return self._collect(elapsed, members)
        if self._due is None:
            self._due = elapsed + self._interval(elapsed)
        if elapsed < self._due:
            return {}
        if not members:
            # Nobody can be asked yet, or ever: whoever waits for the next one is not to be woken at once.
            self._due = elapsed + _AGAIN
        else:
            self._number, self._asked_at = self._number + 1, elapsed
            step = step_ahead(members) if self._together else 0
            self._asked = list(members)
            for member in members:
                member.ask(self._number, step)
        return {}

    def _collect(self, elapsed: float, members: Sequence[Probed]) -> dict[str, wire.Probe]:
        """One that has ended meanwhile has no answer, and of ranks then none counts."""
        answers = {member.name: member.answer(self._number) for member in self._asked}
        there = {member.name for member in members}
        waited = elapsed - self._asked_at
        if any(answer is None and name in there for name, answer in answers.items()) and waited < self._patience:
            return {}
        self._asked = []
        found = {name: answer for name, answer in answers.items() if answer is not None}
        if found:
            # A census has a schedule of its own, and is no reason for fewer probes.
            self._costs.append(max(answer.seconds - answer.census_seconds for answer in found.values()))
        whole = len(found) == len(answers)
        self._taken += whole
        self._due = max(self._asked_at + self._interval(self._asked_at), elapsed + _BREATH)
        return found if whole else {}

    def _interval(self, elapsed: float) -> float:
        """By the mean cost of the last ones: one that met a busy moment does not keep the others away."""
        cost = statistics.fmean(self._costs) if self._costs else _GUESS
        return interval(cost, self._duration, elapsed, self._taken)

    def wake_at(self) -> float:
        """When one is due, if nothing happens before."""
        if self._asked:
            return self._asked_at + self._patience
        return math.inf if self._due is None else self._due
