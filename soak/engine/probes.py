"""The probes of one trial: when one is due, before which step, and what came back. Time is an argument."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

from workloads.protocol import wire

WANTED = 16
"""Probes in a trial, or more: twelve floors are enough to judge by, and the first are warm-up."""
FEWEST = 13
"""Probes that a trial has even on a machine that is so busy that each takes long: fewer floors say much less."""
SHARE, MOST_SHARE, LAST_SHARE = 0.004, 0.05, 0.12
"""Of the time that probes may take; where a trial is too short for `WANTED` of them at that price; and for `FEWEST`."""
LEAST_INTERVAL, USUAL_INTERVAL = 2.0, 60.0
"""Seconds between two: never less, and in a long trial no more where that costs little enough."""
_GUESS = 0.1
"""Seconds that a probe takes, before one was taken: a collection over all objects of a framework."""
_REMEMBERED = 5
"""Probes by which it is told what one costs: a single one that met a busy machine says little of the next."""
_MARGIN = 0.5
"""Of the wait between two, that is left after the last: what is read once a trial has ended its work is not judged."""
_AGAIN = 1.0
"""Seconds after which it is seen again whether somebody can be asked."""
_AHEAD = 1.5
"""Seconds, besides the time since its last beat, in which the fastest rank must not come to the step that is named."""


def interval(cost: float, duration: float | None, elapsed: float, taken: int = 0) -> float:
    """Seconds from one probe to the next.

    Args:
        cost: seconds that one takes.
        duration: of the trial; None where that is not known: then they come ever more seldom.
        elapsed: seconds that it has run for.
        taken: how many there were.
    """
    length = duration or max(elapsed, 30.0)
    cheap = max(cost / SHARE, min(USUAL_INTERVAL, length / 60))
    often = max(cost / MOST_SHARE, _spread(WANTED, duration, elapsed, taken))
    fewest = max(cost / LAST_SHARE, _spread(FEWEST, duration, elapsed, taken))
    return max(LEAST_INTERVAL, min(cheap, often, fewest))


def _spread(count: int, duration: float | None, elapsed: float, taken: int) -> float:
    """Seconds between so many probes, over what is left of the trial for those that are still to come.

    Where some are late, the others come up to twice as often as they would, and no more.
    """
    if duration is None:
        return max(elapsed, 30.0) / count
    left = max(duration - elapsed, 0.0)
    return max(left / (count - taken + _MARGIN), duration / count / 2) if taken < count else math.inf


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
        self._costs = deque([_GUESS], maxlen=_REMEMBERED)
        self._taken = 0
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
        # A census has a schedule of its own, and is no reason for fewer probes.
        each = (answer.seconds - answer.census_seconds for answer in found.values())
        if (cost := max(each, default=None)) is not None:
            self._costs.append(cost)
        whole = len(found) == len(answers)
        self._taken += whole
        self._due = elapsed + self._interval(elapsed)
        return found if whole else {}

    def _interval(self, elapsed: float) -> float:
        return interval(statistics.fmean(self._costs), self._duration, elapsed, self._taken)

    def wake_at(self) -> float:
        """When one is due, if nothing happens before."""
        if self._asked:
            return self._asked_at + self._patience
        return math.inf if self._due is None else self._due
