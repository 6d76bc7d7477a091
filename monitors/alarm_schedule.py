"""When a running trial is looked at. Pure Python: the supervisor asks, and stays light."""

from __future__ import annotations

import math

FIRST = 0.25
"""Share of a trial before which there is no look: until then every slow warm-up grows."""
RUNNING = 3
"""Looks running at which the evidence must hold: two let through more sawteeth and high-water marks, four come late."""
_RATIO = 1.06


def alarm_schedule() -> tuple[float, ...]:
    """Shares of a trial at which it is looked at, each longer than the one before by the same factor, up to 1."""
    count = math.ceil(math.log(1 / FIRST) / math.log(_RATIO))
    return tuple(FIRST ** (1 - k / count) for k in range(count + 1))
