"""Which columns are the time, by their names, and times of numbers and of ISO 8601, in seconds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np

from monitors.detection.series import Floats
from soak.traces.cells import numbers

NAMES = ("t", "time", "timestamp")
"""What a column of times is called, for errors."""
_CORE = frozenset((
    "t", "time", "timestamp", "ts", "seconds", "second", "secs", "sec", "datetime", "date", "elapsed", "currenttime",
    "walltime", "runtime", "unixtime", "localtime", "clock", "ms", "msec", "milliseconds", "minutes", "hours", "etime",
    "timestampms", "times", "timestamps", "uhrzeit", "zeit", "datum", "zeitstempel", "when",
))  # fmt: skip
"""Words of which one is in the name of a time."""
_BESIDE = frozenset((
    "s", "us", "ns", "usec", "millis", "min", "mins", "m", "h", "day", "of", "unix", "epoch", "utc", "gmt", "local",
    "wall", "current", "at", "sampled", "sample", "created", "recorded", "collected", "relative", "rel", "since",
    "start", "run", "stamp", "iso", "scrape", "measurement", "log", "event", "posix", "in", "process", "begin", "total",
    "absolute", "nanoseconds", "microseconds", "dd", "mm", "yyyy", "yyyymmdd", "hh", "ss", "and", "per",
))  # fmt: skip
"""Words that may stand beside them."""
_COUNTS = frozenset((
    "step", "steps", "iteration", "iterations", "iter", "iters", "index", "idx", "i", "n", "epoch", "epochs", "batch",
    "batches", "sample", "round", "frame", "tick", "cycle", "row", "#", "no", "request", "call", "global_step", "it",
))  # fmt: skip
"""Names of what may stand for a time where there is none."""
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|#")
_PLURALS = re.compile(r"\b[A-Z]{2,}s\b")
"""`PIDs` and `FDs` are one word."""
LATEST = 1e12
"""Seconds from 1970 (or from 0) beyond which a number is no time."""
_UNITS = ((1e9, 1e17), (1e6, 1e14), (1e3, 1e11))
_DAYS = 1 / 86400
_SHEET_DAYS = (29_000.0, 80_000.0)
"""Days since 1900 in 1979 and in 2119."""
_SPELLED = {
    "ms": 1e3, "msec": 1e3, "millis": 1e3, "milliseconds": 1e3, "us": 1e6, "usec": 1e6, "microseconds": 1e6, "ns": 1e9,
    "nanoseconds": 1e9, "min": 1 / 60, "mins": 1 / 60, "minutes": 1 / 60, "h": 1 / 3600, "hours": 1 / 3600,
    "timestampms": 1e3,
}  # fmt: skip
"""How many of a unit are a second."""


def words(name: str) -> list[str]:
    """The words of a name, in lower case: `currentTime`, `elapsed_secs` and `Time (s)` have two each."""
    return [word.lower() for word in _WORDS.findall(_PLURALS.sub(lambda found: found[0].lower(), name))]


def is_time(name: str) -> bool:
    """Whether a column's name says that it is the time."""
    plain = name.strip().strip("\ufeff")
    if plain.lower().startswith("(pdh-csv"):  # Windows' performance counters
        return True
    said = set(words(plain)) - {"#"}
    return bool(said & _CORE) and said <= _CORE | _BESIDE and said != {"total", "time"}


def is_count(name: str) -> bool:
    """Whether a name says that it counts what is done one after the other."""
    return name.strip().strip("\ufeff").lower().replace(" ", "_") in _COUNTS


def spelled_unit(name: str) -> float | None:
    """How many of its units are a second, as far as the name says."""
    return next((_SPELLED[word] for word in reversed(words(name)) if word in _SPELLED), None)


def unit_of(t: Floats) -> float:
    """How many of its units are a second: 1, or 1e3, 1e6 or 1e9 where most of them are so large.

    The middle one decides, so that a few broken ones do not.
    """
    size = np.abs(t)
    known = size[size <= LATEST * _UNITS[0][0]]
    middle = float(np.median(known)) if len(known) else 0.0
    return next((factor for factor, least in _UNITS if middle >= least), 1.0)


def unit_for(name: str, t: Floats) -> float:
    """The same for a column: its size says it, where that is plain; else its name."""
    if _are_days(name, t):
        return _DAYS
    by_size = unit_of(t)
    spelled = spelled_unit(name)
    return spelled if by_size == 1.0 and spelled is not None else by_size


def _are_days(name: str, t: Floats) -> bool:
    """Whether dates are days since 1900, as spreadsheets hold them."""
    known = t[np.isfinite(t)]
    dated = bool({"date", "datum", "datetime"} & set(words(name)))
    return dated and len(known) > 0 and bool((known > _SHEET_DAYS[0]).all() and (known < _SHEET_DAYS[1]).all())


def of_texts(cells: Iterable[str | None]) -> Floats:
    """ISO 8601 → seconds since 1970; NaN for what is none. Without a zone, UTC is taken."""
    return np.array([of_iso(cell or "") for cell in cells], dtype=np.float64)


def are_texts(cells: Sequence[str]) -> bool:
    """Whether times are written as text: more of them are dates than are numbers."""
    return bool(np.isfinite(of_texts(cells)).sum() > np.isfinite(numbers(cells)).sum())


def of_iso(cell: str) -> float:
    """One of them."""
    try:
        at = datetime.fromisoformat(cell.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan
