"""Fakes for the seams that own time, for unit tests only."""

from __future__ import annotations

import selectors
import threading
from collections.abc import Sequence
from typing import Any


class FakeClock:
    """Time that moves when it is waited for, or told to."""

    def __init__(self, now: float = 1000.0, wall: float = 1.7e9) -> None:
        self.now = now
        self.offset = wall - now
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + self.offset

    def wait(self, selector: selectors.BaseSelector, timeout: float) -> Sequence[Any]:
        self.now += max(0.0, timeout)
        return []

    def wait_event(self, event: threading.Event, timeout: float) -> bool:
        self.waits.append(timeout)
        self.now += max(0.0, timeout)
        return event.is_set()
