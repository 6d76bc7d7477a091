"""How often something may be read that is costly to read."""

from __future__ import annotations

from collections import deque

_LAST = 5
"""Reads that tell what one costs."""


class ReadCost:
    """The time to wait after each read, so that a usual read takes a given share of the time.

    What a read costs is the median of the last few. The scheduler adds tens of milliseconds to a single read on a busy
    machine; held against that one alone, what takes a thousandth of the time would not be read again for a minute.
    """

    def __init__(self, share: float) -> None:
        """share: of the time that reading may take, above 0."""
        self._share = share
        self._last: deque[float] = deque(maxlen=_LAST)

    def wait(self, seconds: float) -> float:
        """Seconds from the begin of a read, which took `seconds`, to that of the next."""
        self._last.append(seconds)
        return sorted(self._last)[(len(self._last) - 1) // 2] / self._share
