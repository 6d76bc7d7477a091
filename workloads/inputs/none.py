"""A clock: ticks with only a number and a time, for programs that bring their own input."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from workloads.options import between
from workloads.protocol.contract import ClockTick
from workloads.protocol.source import Source

ITEM = "tick"
DOSES: Mapping[str, str] = {}
"""None: every step has one tick, and steps are counted anyway."""


@dataclass(frozen=True)
class Options:
    """How often it ticks."""

    interval: float = 0.0
    """Seconds between two ticks; 0 for one as soon as the step before is done."""

    def __post_init__(self) -> None:
        between(self, "interval", 0, 86400)


def open_source(options: Options, seed: int) -> Source:
    """Ticks without end; nothing of them is drawn, so the seed changes nothing."""
    return _Clock(options.interval)


class _Clock:
    def __init__(self, interval: float) -> None:
        self._interval, self._ticks = interval, 0
        self._began = time.monotonic()

    def next(self) -> ClockTick:
        tick = ClockTick(self._ticks, time.monotonic() - self._began)
        self._ticks += 1
        return tick

    def due(self) -> float | None:
        """Seconds after the first step at which the latest tick is due."""
        return (self._ticks - 1) * self._interval if self._interval else None

    def doses(self) -> Mapping[str, float]:
        return {}

    def close(self) -> None:
        """Nothing is held open."""
