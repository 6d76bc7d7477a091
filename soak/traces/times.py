"""Times as people and programs write them, in seconds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np

from monitors.detection.series import Floats
from soak.traces.cells import numbers

NAMES = ("t", "time", "timestamp", "ts", "seconds", "datetime", "date", "currenttime", "current_time")
"""What a column of times is called."""
LATEST = 1e12
"""Seconds from 1970 (or from 0) beyond which a number is no time."""
_UNITS = ((1e9, 1e17), (1e6, 1e14), (1e3, 1e11))


def is_time(name: str) -> bool:
    """Whether a column's name says that it is the time."""
    return name.strip().strip("\ufeff").lower() in NAMES


def unit_of(t: Floats) -> float:
    """How many of its units are a second: 1, or 1e3, 1e6 or 1e9 where most of them are so large.

    The middle one decides, so that a few broken ones do not.
    """
    size = np.abs(t)
    known = size[size <= LATEST * _UNITS[0][0]]
    middle = float(np.median(known)) if len(known) else 0.0
    return next((factor for factor, least in _UNITS if middle >= least), 1.0)


def of_texts(cells: Iterable[str | None]) -> Floats:
    """ISO 8601 → seconds since 1970; NaN for what is none. Without a zone, UTC is taken."""
    return np.array([_of_text(cell) for cell in cells], dtype=np.float64)


def are_texts(cells: Sequence[str]) -> bool:
    """Whether times are written as text: more of them are dates than are numbers."""
    return bool(np.isfinite(of_texts(cells)).sum() > np.isfinite(numbers(cells)).sum())


def _of_text(cell: str | None) -> float:
    try:
        at = datetime.fromisoformat((cell or "").strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan
