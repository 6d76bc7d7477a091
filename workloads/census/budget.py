"""The time that a census may take, and what was left out for want of it."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_HAND_OVER = 0.006
"""Seconds in which threads that wait for the interpreter by the old interval get it once more."""


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


@contextmanager
def undisturbed(seconds: float) -> Iterator[None]:
    """Let no other thread run Python, nor the collector, for up to so many seconds.

    Other threads must not see a reference of ours to a tuple that C code of theirs is still filling: TensorFlow has
    crashed of it. A call that waits for something lets them run all the same.
    """
    interval, collects = sys.getswitchinterval(), gc.isenabled()
    sys.setswitchinterval(max(interval, seconds))
    gc.disable()
    try:
        time.sleep(_HAND_OVER)
        yield
    finally:
        sys.setswitchinterval(interval)
        if collects:
            gc.enable()
