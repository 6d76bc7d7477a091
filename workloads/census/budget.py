"""The time that a census may take, and what was left out for want of it."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Budget:
    """So many seconds from now."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._began = clock, clock()
        self._end = self._began + seconds
        self.left_out: list[str] = []

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return self._clock() - self._began

    def has(self, seconds: float = 0.0) -> bool:
        """Whether more than so many seconds are left."""
        return self._end - self._clock() > seconds

    def leave_out(self, what: str) -> None:
        """There was no time for all of that: a group of the census, or what is told of one."""
        if what not in self.left_out:
            self.left_out.append(what)

    def part(self, share: float) -> Budget:
        """That share of what is left, which writes down here what was left out."""
        budget = Budget(max(0.0, share * (self._end - self._clock())), self._clock)
        budget.left_out = self.left_out
        return budget


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector from running meanwhile: it would free what is being counted."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
