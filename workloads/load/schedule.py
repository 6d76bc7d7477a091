"""When the next request is due: at a rate that does not wait for answers, or as soon as an answer leaves room. Pure.

An open loop is honest about a server that stalls: a request that could not be sent when it was due keeps the time at
which it was due, and its latency is counted from there. What would have been due while the client itself did not run is
left out. A closed loop sends less while the server is slow; its latencies say nothing of users who do not wait for each
other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class RequestSchedule(Protocol):
    """Asked for one request at a time. Keeps a number, never a queue."""

    pause_after_error: float
    """Seconds for which a request that could not reach the server keeps its place."""

    def take(self, now: float, in_flight: int) -> float | None:
        """The time at which the next request was due, which is then taken as sent; None where none may be sent now."""
        ...

    def wait(self, now: float, in_flight: int) -> float | None:
        """Seconds until the next request is due; None where first an answer must leave room."""
        ...

    def behind(self, now: float) -> float:
        """Seconds since the earliest request that is due and was not sent."""
        ...

    def move(self, seconds: float) -> None:
        """What was not sent yet is due that much later: the client itself did not run for so long."""
        ...


class OpenLoop:
    """`rate` requests a second from `began` on, whatever the server does; never more than `most` in flight."""

    pause_after_error = 0.0

    def __init__(self, rate: float, most: int, began: float) -> None:
        self._rate, self._most, self._began = rate, most, began
        self._sent = 0

    def _due(self) -> float:
        # A product and not a sum: no error adds up over days.
        return self._began + self._sent / self._rate

    def take(self, now: float, in_flight: int) -> float | None:
        """See `RequestSchedule`."""
        due = self._due()
        if due > now or in_flight >= self._most:
            return None
        self._sent += 1
        return due

    def wait(self, now: float, in_flight: int) -> float | None:
        """See `RequestSchedule`."""
        return None if in_flight >= self._most else max(0.0, self._due() - now)

    def behind(self, now: float) -> float:
        """See `RequestSchedule`."""
        return max(0.0, now - self._due())

    def move(self, seconds: float) -> None:
        """See `RequestSchedule`."""
        self._began += seconds


class SteppedLoop:
    """A closed loop whose concurrency changes: `steps` one after the other, each for so many seconds, and again."""

    pause_after_error = 0.1

    def __init__(self, steps: Sequence[int], seconds: float, began: float) -> None:
        self._steps, self._seconds, self._began = steps, seconds, began

    def concurrency(self, now: float) -> int:
        """Requests to keep in flight now."""
        passed = int(max(0.0, now - self._began) / self._seconds)
        return self._steps[passed % len(self._steps)]

    def take(self, now: float, in_flight: int) -> float | None:
        """See `RequestSchedule`."""
        return now if in_flight < self.concurrency(now) else None

    def wait(self, now: float, in_flight: int) -> float | None:
        """See `RequestSchedule`."""
        return None if in_flight >= self.concurrency(now) else 0.0

    def behind(self, now: float) -> float:
        """See `RequestSchedule`: a closed loop is never behind."""
        return 0.0

    def move(self, seconds: float) -> None:
        """See `RequestSchedule`: a step lasts as long as the client ran."""
        self._began += seconds


class ClosedLoop:
    """`concurrency` requests in flight: the next is due when one is answered."""

    pause_after_error = 0.1

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency

    def take(self, now: float, in_flight: int) -> float | None:
        """See `RequestSchedule`."""
        return now if in_flight < self._concurrency else None

    def wait(self, now: float, in_flight: int) -> float | None:
        """See `RequestSchedule`."""
        return None if in_flight >= self._concurrency else 0.0

    def behind(self, now: float) -> float:
        """See `RequestSchedule`: a closed loop is never behind."""
        return 0.0

    def move(self, seconds: float) -> None:
        """See `RequestSchedule`: nothing is due at a time of its own."""
