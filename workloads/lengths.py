"""How long each item of a source is: always the same, drawn from a set, or from time to time one never seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from workloads.phases import EVEN, MANY, Phases, Turns
from workloads.random_bits import one

KINDS = ("fixed", "set", "new")
_ROUND = 256
"""New lengths come shuffled in rounds of so many, so that the largest of a round comes early."""
_DRAWN = 3
"""Lengths drawn in a phase of mostly short or long ones, of which the shortest or the longest is taken."""
_BITS = 20
"""Of random bits for each."""


def longer(known: Sequence[int], factor: int) -> int | None:
    """Of the lengths of a config the longest within `factor` times the shortest; None where there is one alone."""
    return max(length for length in known if length <= factor * min(known)) if len(set(known)) > 1 else None


@dataclass
class Lengths:
    """The lengths of the items of one source, in their order."""

    kind: str
    """fixed (the first of `known`), set (drawn from `known`), new (the first, and every so often one never seen)."""
    known: tuple[int, ...]
    new_every: int
    """Items between two new lengths; where they vary, at least so many."""
    seed: int
    lane: int
    """Of random bits."""
    vary: bool = False
    """Whether they come in phases: mostly short or mostly long ones, new ones more or less often."""
    fresh: int = field(default=0, init=False)
    """New lengths so far."""

    def __post_init__(self) -> None:
        self._phases = Phases(self.seed, self.lane) if self.vary else None
        self._turns = Turns(self.new_every, self._phases)

    def next(self, index: int) -> tuple[int, bool]:
        """The length of item `index`, and whether no other item had or will have it; items are asked for in order."""
        if self.kind == "set":
            return self._drawn(index), False
        if self.kind == "new" and self._turns.due(index):
            turn, place = divmod(self.fresh, _ROUND)
            self.fresh += 1
            return self.known[0] + 1 + turn * _ROUND + (157 * place + 89) % _ROUND, True
        return self.known[0], False

    def _drawn(self, index: int) -> int:
        """Every length has a chance in every phase, so that no phase brings what no other does."""
        bits, phase = one(self.seed, self.lane, index), self._phases.at(index) if self._phases else EVEN
        if phase == EVEN:
            return self.known[bits % len(self.known)]
        lengths = [self.known[(bits >> _BITS * each) % (1 << _BITS) % len(self.known)] for each in range(_DRAWN)]
        return max(lengths) if phase == MANY else min(lengths)
