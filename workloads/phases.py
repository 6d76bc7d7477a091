"""Phases in which a source gives more of one dose and less of another, so that growth can be told by what it follows.

Doses that keep one ratio over a whole trial cannot be told apart: whatever grows with steps then grows with frames too.
A phase lasts an eighth of what came before it: however long a trial is, its judged part has about a dozen.
"""

from __future__ import annotations

from workloads.random_bits import one

FEW, EVEN, MANY = range(3)
"""What a phase is like."""
_SHORTEST = 16
"""Items of the first phases."""
_SHARE = 8
_APART = 400
"""Lanes of random bits of phases lie so far beyond those of what they are phases of."""
_WAITS = {MANY: 1, EVEN: 2, FEW: 4}


class Phases:
    """What each item's phase is like. A pure function of seed, lane and index; items are asked for in order."""

    def __init__(self, seed: int, lane: int) -> None:
        self._seed, self._lane = seed, lane + _APART
        self._number = self._end = 0
        self._kind = EVEN

    def at(self, index: int) -> int:
        """FEW, EVEN or MANY; two phases in a row differ."""
        while index >= self._end:
            self._kind = (self._kind + 1 + one(self._seed, self._lane, self._number) % 2) % 3
            self._number += 1
            self._end += max(_SHORTEST, self._end // _SHARE)
        return self._kind


class Turns:
    """Which items bring something new: every so many; with phases also every second or fourth such time alone."""

    def __init__(self, every: int, phases: Phases | None) -> None:
        self._every, self._phases = every, phases
        self._waited = 0

    def due(self, index: int) -> bool:
        """Whether item `index` is such a one; items are asked for in order."""
        self._waited += 1
        wait = self._every * (_WAITS[self._phases.at(index)] if self._phases else 1)
        if self._waited < wait:
            return False
        self._waited = 0
        return True
