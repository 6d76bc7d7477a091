"""Time as an argument: the only thing in soak that waits."""

from __future__ import annotations

import selectors
import threading
import time
from collections.abc import Sequence
from typing import Any, Protocol


class Clock(Protocol):
    """What the supervisor and the recorder know of time."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def wall(self) -> float:
        """Unix time; may jump."""
        ...

    def wait(self, selector: selectors.BaseSelector, timeout: float) -> Sequence[Any]:
        """Until something is readable or `timeout` seconds have passed; the keys' data of what is readable."""
        ...

    def wait_event(self, event: threading.Event, timeout: float) -> bool:
        """Until the event is set or `timeout` seconds have passed; whether it is set."""
        ...


class SystemClock:
    """The machine's own time."""

    def monotonic(self) -> float:
        """CLOCK_MONOTONIC."""
        return time.monotonic()

    def wall(self) -> float:
        """CLOCK_REALTIME."""
        return time.time()

    def wait(self, selector: selectors.BaseSelector, timeout: float) -> Sequence[Any]:
        """Select on real descriptors."""
        return [key.data for key, _ in selector.select(max(0.0, timeout))]

    def wait_event(self, event: threading.Event, timeout: float) -> bool:
        """Wait on a real event."""
        return event.wait(max(0.0, timeout))
