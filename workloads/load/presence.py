"""Whether the client itself ran: for time in which it was stopped it owes no requests. Pure: told the time."""

from __future__ import annotations

from collections.abc import Iterator

SPARE = 1.0
"""Seconds by which a look may come late on a busy machine."""
MOST_NOTES = 100
"""A client that is stopped again and again is noted so often, and its schedule moved on."""


class Presence:
    """Time in which the client did not run: its process was stopped, or its source kept it waiting.

    interval: the most seconds that it waits between two looks at the clock.
    """

    def __init__(self, interval: float) -> None:
        self._most = interval + SPARE
        self._last: float | None = None
        self._told = 0
        self._notes: list[tuple[str, str]] = []
        self.absent = 0.0
        """Seconds in all."""

    def seen(self, now: float) -> float:
        """The client looks at the clock: seconds for which it did not run since it last did; 0 if it is on time."""
        gap = 0.0 if self._last is None else now - self._last
        self._last = now
        if gap <= self._most:
            return 0.0
        self.absent += gap
        if self._told < MOST_NOTES:
            self._told += 1
            message = f"the client did not run for {gap:.1f} s: it was stopped, or its source kept it waiting"
            self._notes.append(("client_absent", f"{message}; requests due in that time are not sent later"))
        return gap

    def notes(self) -> Iterator[tuple[str, str]]:
        """Kind and message of what was not told yet."""
        while self._notes:
            yield self._notes.pop(0)
