"""What to do when the disk fills up: take fewer samples, then stop while the record can still be closed."""

from __future__ import annotations

import math
import shutil
from enum import Enum
from pathlib import Path

EASED = 1.2
"""Sampling is as before once there is so many times more room than where it thinned out."""
STRETCH = 10.0
"""Times the interval of samples, while room is short."""


class Room(Enum):
    """How much room there is."""

    ENOUGH = "enough"
    SHORT = "short"
    NONE = "none"


SAID = {
    Room.ENOUGH: "there is enough free disk again",
    Room.SHORT: "free disk is low: fewer samples are taken",
    Room.NONE: "free disk is too low: the run is stopped",
}
"""In words."""


def free_bytes(folder: Path) -> float:
    """Room where a folder lies; as much as may be where that cannot be told: the record says what became of it."""
    try:
        return float(shutil.disk_usage(folder).free)
    except OSError:
        return math.inf


def room(free: float, before: Room, low: float, least: float) -> Room:
    """How much room `free` bytes are.

    Args:
        free: bytes.
        before: what was said last; short room stays short until it has eased.
        low: bytes below which room is short.
        least: bytes below which there is none.
    """
    if free < least or before is Room.NONE:
        return Room.NONE
    return Room.SHORT if free < (low if before is Room.ENOUGH else low * EASED) else Room.ENOUGH
