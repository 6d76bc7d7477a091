"""A rate while the trial still runs: cheap, pure Python, bounded. For progress displays only; verdicts come later."""

from __future__ import annotations

from itertools import combinations
from statistics import median

CAPACITY = 64
SETTLING = 30.0
"""Seconds of steps before there is a rate: until then allocators and caches take what they will keep."""


class RunningRate:
    """Theil–Sen slope over the later half of block floors. To be given values from the first step on.

    Keeps at most `CAPACITY` blocks: when full, neighbours merge and blocks become twice as long. O(1) amortised per
    value, O(CAPACITY²) per look.
    """

    def __init__(self, block_seconds: float = 1.0) -> None:
        self._length = block_seconds
        self._blocks: list[tuple[float, float]] = []
        self._start: float | None = None
        self._floor = 0.0

    def add(self, t: float, value: float) -> None:
        """One value at `t` seconds; times do not go back."""
        if self._start is None:
            self._start, self._floor = t, value
        elif t - self._start >= self._length:
            self._blocks.append((self._start, self._floor))
            self._start, self._floor = t, value
            if len(self._blocks) >= CAPACITY:
                self._merge()
        else:
            self._floor = min(self._floor, value)

    def _merge(self) -> None:
        pairs = zip(self._blocks[::2], self._blocks[1::2], strict=True)
        self._blocks = [(first[0], min(first[1], second[1])) for first, second in pairs]
        self._length *= 2

    def per_hour(self) -> float | None:
        """Units per hour; None before there is enough to say."""
        late = self._blocks[len(self._blocks) // 2 :]
        if len(late) < 5 or late[-1][0] + self._length - self._blocks[0][0] < SETTLING:
            return None
        return 3600.0 * median((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(late, 2))
