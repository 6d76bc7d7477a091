"""A histogram of latencies in a fixed number of buckets: its memory does not depend on how many are added."""

from __future__ import annotations

import math
from array import array

LEAST, MOST = 1e-6, 1000.0
"""Seconds. What is shorter or longer is counted in the first or the last bucket."""
PER_OCTAVE = 32
"""Buckets in which a latency doubles: a quantile is stated at most 2.2 % too high."""
_BUCKETS = math.ceil(math.log2(MOST / LEAST)) * PER_OCTAVE + 1


class Histogram:
    """Counts of latencies by their logarithm."""

    def __init__(self) -> None:
        # Not of Python's numbers: of these, large ones are objects, made anew for every count.
        self._counts = array("Q", bytes(8 * _BUCKETS))
        self.count = 0
        self.longest = 0.0

    def add(self, seconds: float) -> None:
        """Count one. Less than nothing (a clock that was set) counts as nothing."""
        # Once for every step of a worker: `min` and `max` would double what it costs.
        place = math.ceil(math.log2(seconds / LEAST) * PER_OCTAVE) if seconds > LEAST else 0
        self._counts[place if place < _BUCKETS else -1] += 1
        self.count += 1
        if seconds > self.longest:
            self.longest = seconds

    def quantile(self, share: float) -> float | None:
        """The latency, in seconds, that `share` of all do not exceed; None where there are none.

        share: from 0 to 1. The answer is the upper bound of a bucket, and never more than the longest latency.
        """
        rank = max(1, math.ceil(share * self.count))
        seen = 0
        for place, count in enumerate(self._counts):
            seen += count
            if count and seen >= rank:
                return min(LEAST * math.pow(2.0, place / PER_OCTAVE), self.longest)
        return None
