"""The limits of a trial that the supervisor keeps: how long, and how much memory. Pure: times are given.

A sole worker keeps its duration by itself, and a cgroup every limit of memory.
"""

from __future__ import annotations

from soak.engine.lifecycle import OVER_DURATION, OVER_MEMORY


class Limits:
    """Counts the seconds that all of a trial has worked for, without those in which it was paused."""

    def __init__(self, duration: float | None, memory: int | None) -> None:
        """None are counted yet.

        Args:
            duration: seconds; None for no limit.
            memory: bytes that its processes may hold together; None for no limit, or where somebody else keeps it.
        """
        self._duration, self._memory = duration, memory
        self._began: float | None = None
        self._paused: float | None = None

    def works(self, now: float) -> None:
        """All of it works by now."""
        self._began = now if self._began is None else self._began

    def pause(self, now: float) -> None:
        """It is held from now on."""
        self._paused = now

    def resume(self, now: float) -> None:
        """It goes on."""
        if self._began is not None and self._paused is not None:
            self._began += now - self._paused
        self._paused = None

    def seconds(self, now: float) -> float | None:
        """That it has worked for; None before all of it did."""
        return None if self._began is None else (now if self._paused is None else self._paused) - self._began

    def reached(self, now: float, held: float | None) -> str:
        """The limit that is reached; empty where none is. held: bytes; None where that is not known."""
        worked = self.seconds(now)
        if self._duration is not None and worked is not None and worked >= self._duration:
            return OVER_DURATION
        return OVER_MEMORY if self._memory is not None and held is not None and held > self._memory else ""

    def due(self) -> float:
        """When the duration will be over, if nothing comes between."""
        if self._began is None or self._duration is None:
            return float("inf")
        return self._began + self._duration
