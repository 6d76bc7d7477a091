"""Seconds of a process in which it works, without those of its probes: what grows with time, grows with these."""

from __future__ import annotations

import time

_paused = 0.0


def now() -> float:
    """Seconds from some moment on."""
    return time.monotonic() - _paused


def paused(seconds: float) -> None:
    """It did no work for so long."""
    global _paused
    _paused += seconds
