"""Durations, sizes and rates as people write them in a config: "72 h", "512 MiB", "1 MiB/h"."""

from __future__ import annotations

import math
import re

_SECONDS = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "tb": 1000**4,
    "kib": 1024, "mib": 1024**2, "gib": 1024**3, "tib": 1024**4, "pib": 1024**5,
}  # fmt: skip
_PART = re.compile(r"\s*([0-9]{1,30}(?:\.[0-9]{1,30})?)\s*([A-Za-z]{1,10})")
_NUMBER = re.compile(r"\s*[0-9]{1,30}(?:\.[0-9]{1,30})?\s*")
_LONGEST_TEXT = 200
MOST_SECONDS = 3650 * 86400.0
"""Ten years."""
MOST_BYTES = 2**60
"""1 EiB."""


class Duration(float):
    """Seconds."""


class Interval(float):
    """Seconds between two of something; 0 for none at all."""


class Size(int):
    """Bytes."""


class Rate(float):
    """Bytes per hour."""


def parse_duration(value: object) -> Duration:
    """Seconds from a number, with or without quotes, or from text such as "90 s", "1 h 30 min", "3d".

    Raises:
        ValueError: it is no positive duration.
    """
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value) if abs(value) <= MOST_SECONDS else (math.inf if value > 0 else -math.inf)
    else:
        seconds = sum(amount * _factor(unit, _SECONDS) for amount, unit in _parts(value)) if value else 0.0
    if not seconds > 0:
        raise ValueError('expected a positive duration such as "90 s", "1 h 30 min" or "3 d"')
    if seconds > MOST_SECONDS:
        raise ValueError("expected a duration of at most 3650 d")
    return Duration(seconds)


def parse_interval(value: object) -> Interval:
    """Seconds from what a duration is written as, or from 0 with or without a unit.

    Raises:
        ValueError: it is neither.
    """
    text = value if isinstance(value, str) else ""
    nothing = (value == 0 and not isinstance(value, bool)) or (_NUMBER.fullmatch(text) and float(text) == 0)
    if nothing or (_PART.fullmatch(text.rstrip()) and sum(n * _factor(u, _SECONDS) for n, u in _parts(text)) == 0):
        return Interval(0.0)
    try:
        return Interval(parse_duration(value))
    except ValueError as error:
        raise ValueError(f"{error}, or 0 for none") from None


def parse_size(value: object) -> Size:
    """Bytes from a number or from text such as "512 MiB".

    Raises:
        ValueError: it is no positive size.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        parts = _parts(value, "512 MiB")
        size = round(min(MOST_BYTES + 1, sum(amount * _factor(unit, _BYTES) for amount, unit in parts)))
    if size <= 0:
        raise ValueError('expected a positive size such as "512 MiB" or "2 GiB"')
    if size > MOST_BYTES:
        raise ValueError("expected a size of at most 1024 PiB")
    return Size(size)


def parse_rate(value: object) -> Rate:
    """Bytes per hour from text such as "1 MiB/h" or "200 B/s".

    Raises:
        ValueError: it is no positive rate.
    """
    amount, _, per = (value if isinstance(value, str) else "").partition("/")
    hours = {"h": 1.0, "d": 24.0, "min": 1 / 60, "s": 1 / 3600}.get(per.strip())
    if hours is None:
        raise ValueError('expected a rate such as "1 MiB/h" or "24 MiB/d"')
    try:
        return Rate(parse_size(amount) / hours)
    except ValueError:
        raise ValueError('expected a rate such as "1 MiB/h" or "24 MiB/d"') from None


def _parts(value: object, such: str = "90 s") -> list[tuple[float, str]]:
    text = value if isinstance(value, str) and len(value) <= _LONGEST_TEXT else ""
    parts = [(float(m[1]), m[2].lower()) for m in _PART.finditer(text)]
    if not parts or _PART.sub("", text).strip():
        raise ValueError(f'expected a number with a unit, such as "{such}"')
    return parts


def _factor(unit: str, known: dict[str, float] | dict[str, int]) -> float:
    if unit not in known:
        raise ValueError(f'unknown unit "{unit}": expected one of {", ".join(known)}')
    return known[unit]
