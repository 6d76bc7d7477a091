"""Batches of token sequences of varying length, drawn from the seed: for language models and their caches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from workloads.lengths import KINDS, Lengths, longer
from workloads.options import OptionError, between, one_of
from workloads.protocol.contract import Sequences
from workloads.protocol.source import Source
from workloads.random_bits import many

ITEM = "sequences"
DOSES = {
    "sequences": "Sequences through the workload",
    "tokens": "Tokens through the workload",
    "distinct_lengths": "Sequence lengths never seen before",
}
MOST_OF_A_BATCH = 2**26
"""Tokens."""
_BITS = 201
_LENGTHS = 202
"""Lanes of random bits; video has its own."""


@dataclass(frozen=True)
class Options:
    """Which tokens, how many in a sequence, and how many sequences in a batch."""

    vocabulary: int = 32000
    """Tokens are numbers from 0 up to this one, which is left out."""
    batch: int = 1
    """Sequences of one item; all have the same length."""
    length: str = "set"
    """fixed (the first of lengths), set (drawn from lengths), new (the first, and from time to time one never seen)."""
    lengths: tuple[int, ...] = (32, 48, 64, 96)
    """Tokens of a sequence."""
    new_every: int = 10
    """length = "new": items between two new lengths; with `vary` at least so many."""
    vary: bool = True
    """Whether lengths come in phases, mostly short or mostly long ones, new ones more or less often: then growth by
    steps, by tokens and by new lengths can be told apart."""
    rate: float = 0.0
    """Items a second that are due; 0 for the next as soon as the step before is done."""

    def __post_init__(self) -> None:
        between(self, "vocabulary", 2, 2**31 - 1)
        between(self, "batch", 1, 65536)
        one_of(self, "length", *KINDS)
        between(self, "new_every", 1, 10**9)
        between(self, "rate", 0, 10**6)
        if not 1 <= len(self.lengths) <= 1000 or not all(1 <= each <= 2**20 for each in self.lengths):
            raise OptionError("lengths", list(self.lengths), "expected 1 to 1,000 lengths, each of 1 to 1048576 tokens")
        if max(self.lengths) * self.batch > MOST_OF_A_BATCH:
            expected = f"expected batches of {MOST_OF_A_BATCH / 1e6:,.0f} million tokens at most (batch × length)"
            raise OptionError("lengths", list(self.lengths), expected)


def open_source(options: Options, seed: int) -> Source:
    """Sequences without end."""
    return _Tokens(options, seed)


class _Tokens:
    def __init__(self, options: Options, seed: int) -> None:
        self._options, self._seed = options, seed
        self._lengths = Lengths(options.length, options.lengths, options.new_every, seed, _LENGTHS, options.vary)
        self._items = self._drawn = 0
        self._seen: set[int] = set()

    def next(self) -> Sequences:
        """The next batch; its tokens are read-only."""
        import numpy as np

        length, fresh = self._lengths.next(self._items)
        count = self._options.batch * length
        bits = many(self._seed, _BITS, self._drawn, count)
        tokens = (bits % np.uint64(self._options.vocabulary)).astype(np.int32).reshape(self._options.batch, length)
        tokens.flags.writeable = False
        if not fresh:
            # A length that never comes again need not be remembered to be counted.
            self._seen.add(length)
        item = Sequences(tokens, self._items)
        self._items += 1
        self._drawn += count
        return item

    def due(self) -> float | None:
        """Seconds after the first step at which the latest item is due."""
        return (self._items - 1) / self._options.rate if self._options.rate else None

    def doses(self) -> Mapping[str, float]:
        return {
            "sequences": float(self._items * self._options.batch),
            "tokens": float(self._drawn),
            "distinct_lengths": float(len(self._seen) + self._lengths.fresh),
        }

    def close(self) -> None:
        """Nothing is held open."""


def _calm(options: Any) -> Any:
    """The shortest alone, as soon as they are asked for."""
    return replace(options, length="fixed", lengths=(min(options.lengths),), rate=0.0)


def _more(options: Any, factor: int) -> Any:
    length = longer(options.lengths, factor) if options.length == "set" else None
    return None if length is None else replace(_calm(options), lengths=(length,))


def _more_new(options: Any, factor: int) -> Any:
    """No more often than the config asks for."""
    if options.length != "new":
        return None
    return replace(_calm(options), length="new", new_every=options.new_every * 4 // factor, vary=False)


ESCALATES: Mapping[str, Callable[[Any, int], Any]] = {
    "steps": lambda options, factor: _calm(options),
    "tokens": _more,
    "distinct_lengths": _more_new,
}
