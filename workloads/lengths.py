"""How long each item of a source is: always the same, drawn from a set, or from time to time one never seen."""

from __future__ import annotations

from dataclasses import dataclass, field

from workloads.random_bits import one

KINDS = ("fixed", "set", "new")
_ROUND = 256
"""New lengths come shuffled in rounds of so many, so that the largest of a round comes early."""


@dataclass
class Lengths:
    """The lengths of the items of one source, in their order."""

    kind: str
    """fixed (the first of `known`), set (drawn from `known`), new (the first, and every so often one never seen)."""
    known: tuple[int, ...]
    new_every: int
    """Items between two new lengths."""
    seed: int
    lane: int
    """Of random bits."""
    fresh: int = field(default=0, init=False)
    """New lengths so far."""

    def next(self, index: int) -> tuple[int, bool]:
        """The length of item `index`, and whether no other item had or will have it; items are asked for in order."""
        if self.kind == "set":
            return self.known[one(self.seed, self.lane, index) % len(self.known)], False
        if self.kind == "new" and index % self.new_every == self.new_every - 1:
            turn, place = divmod(self.fresh, _ROUND)
            self.fresh += 1
            return self.known[0] + 1 + turn * _ROUND + (157 * place + 89) % _ROUND, True
        return self.known[0], False
