"""Something that is due at most once in so many seconds."""

from __future__ import annotations


class Every:
    """True at most once an interval."""

    def __init__(self, interval: float, now: float) -> None:
        self._interval, self._next = interval, now

    def due(self, now: float) -> bool:
        """Whether the interval has passed since it last was."""
        if now < self._next:
            return False
        self._next = now + self._interval
        return True
