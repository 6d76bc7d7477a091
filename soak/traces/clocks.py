"""Times in every writing, told by their cells: numbers, ISO 8601, other dates, times of day, durations."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

import numpy as np

from monitors.detection.series import Floats
from soak.traces import times
from soak.traces.cells import Writing, numbers, writing_of

EXPECTED = (
    "seconds, milliseconds, 2026-06-29T10:00:00, 2026/06/29 10:00:00.000, 06/29/2026 10:00, 29.06.2026 10:00 or "
    "10:00:00"
)
_DAY = 86400.0
_TIME = r"(?P<h>\d{1,2}):(?P<mi>\d{2})(?::(?P<s>\d{2}(?:[.,]\d{1,9})?))?\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
_ZONE = r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?(?:\s+[A-Z]{2,5})?"
_DATED = re.compile(
    rf"(?P<a>\d{{1,4}})(?P<sep>[-/.])(?P<b>\d{{1,2}})(?P=sep)(?P<c>\d{{1,4}})(?:[T, ]+{_TIME}{_ZONE})?$"
)
_COMPACT = re.compile(rf"(?P<a>\d{{4}})(?P<b>\d{{2}})(?P<c>\d{{2}})[T ]+{_TIME}{_ZONE}$")
_OF_DAY = re.compile(rf"{_TIME}$")
_DURATION = re.compile(r"(?:(?P<d>\d+)(?:\s*days?,?\s*|-|d\s*))?(?P<h>\d+):(?P<m>\d{2})(?::(?P<s>\d{2}(?:[.,]\d+)?))?$")
_SPELLED = re.compile(
    r"\s*(\d+(?:[.,]\d+)?)\s*(ms|us|µs|ns|s|sec|secs|seconds?|min|mins|minutes?|m|h|hrs?|hours?|d|days?)"
)
_SECONDS = {"ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "s": 1.0, "m": 60.0, "h": 3600.0, "d": _DAY}
_NAMED = (
    "%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S", "%d/%b/%Y:%H:%M:%S", "%d-%b-%Y %H:%M:%S", "%d %b %Y %H:%M:%S",
    "%b %d, %Y %I:%M:%S %p", "%b %d, %Y, %I:%M:%S %p", "%b %d %Y %H:%M:%S", "%b %d %H:%M:%S", "%d-%b-%y %H:%M:%S",
    "%d-%m %H:%M:%S", "%b %d, %Y @ %H:%M:%S.%f", "%b %d, %Y @ %H:%M:%S",
    "%a %d %b %Y %I:%M:%S %p", "%a %b %d %I:%M:%S %p %Y",
)  # fmt: skip
"""Dates with the names of months."""

Parse = Callable[[str], float]
"""Seconds of a cell; NaN for what is no time."""
Clock = Callable[[Sequence[str]], Floats]
"""Seconds of the cells of a column, in their order: it remembers those before."""


def clock_of(name: str, cells: Sequence[str], more: Callable[[], Iterable[str]] = tuple) -> Clock | None:
    """How a column of times is read; None where fewer than half of its cells are times.

    more: further cells of the column, looked at where the first do not tell months from days.
    """
    full = [cell for cell in cells if cell.strip()]
    return _candidate(name, full, more) if full else _numeric(name, full)


def _candidate(name: str, full: Sequence[str], more: Callable[[], Iterable[str]]) -> Clock | None:
    least = (len(full) + 1) // 2
    as_numbers = int(np.isfinite(numbers(full)).sum())
    if as_numbers >= least and as_numbers >= _count(times.of_iso, full):
        return _numeric(name, full)
    if _count(times.of_iso, full) >= least:
        return times.of_texts
    of_day = not _is_elapsed(name, full) and _count(_of_day, full) >= least
    if of_day:
        return _Daily()
    for parse in _parsers(full, more):
        if _count(parse, full) >= least:
            return _each(parse)
    writing = writing_of(full)
    if not writing.quantities and 2 * np.isfinite(writing.numbers(full)).sum() >= len(full):
        return _numeric(name, full, writing)
    return None


def _parsers(full: Sequence[str], more: Callable[[], Iterable[str]]) -> Iterator[Parse]:
    """What reads dates and durations, one after the other."""
    if order := _order(full, more):
        yield _dated(order)
    yield from (_compact, _duration, _spelled)
    yield from map(_by_form, _NAMED)


def _is_elapsed(name: str, full: Sequence[str]) -> bool:
    """Whether what looks like times of day is time that has passed."""
    return bool({"elapsed", "etime", "uptime"} & set(times.words(name))) or _beyond_a_day(full)


def _count(parse: Parse, cells: Sequence[str]) -> int:
    return sum(not math.isnan(parse(cell)) for cell in cells)


def _numeric(name: str, cells: Sequence[str], writing: Writing | None = None) -> Clock:
    read = writing.numbers if writing else numbers
    unit = times.unit_for(name, read(cells))
    return lambda column: read(column) / unit


def _each(parse: Parse) -> Clock:
    return lambda cells: np.array([parse(cell) for cell in cells], dtype=np.float64)


class _Daily:
    """Times of day: after midnight the next day comes."""

    def __init__(self) -> None:
        self._days, self._last = 0.0, -math.inf

    def __call__(self, cells: Sequence[str]) -> Floats:
        """Seconds since the first midnight."""
        return np.array([self._one(cell) for cell in cells], dtype=np.float64)

    def _one(self, cell: str) -> float:
        at = _of_day(cell)
        if math.isnan(at):
            return at
        if at + self._days < self._last - _DAY / 2:
            self._days += _DAY
        # One of the evening before, among those after midnight.
        late = self._days and at + self._days > self._last + _DAY / 2
        whole = at + self._days - (_DAY if late else 0.0)
        self._last = max(self._last, whole)
        return whole


def _number(text: str | None) -> float:
    return float(text.replace(",", ".")) if text else 0.0


def _hour(found: re.Match[str]) -> float:
    hour, half = int(found["h"]), (found["half"] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            return math.nan
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    minute, second = int(found["mi"]), _number(found["s"])
    return 3600.0 * hour + 60.0 * minute + second if hour < 24 and minute < 60 and second < 61 else math.nan


def _of_day(cell: str) -> float:
    found = _OF_DAY.match(cell.strip())
    return _hour(found) if found else math.nan


def _beyond_a_day(cells: Sequence[str]) -> bool:
    """Whether hours go on past 23, or minutes do where there are but two parts."""
    return any((found := _DURATION.match(cell.strip())) and int(found["h"]) > 23 for cell in cells)


def _duration(cell: str) -> float:
    found = _DURATION.match(cell.strip())
    if not found:
        return math.nan
    if found["s"] is None:  # minutes and seconds
        return _DAY * _number(found["d"]) + 60.0 * int(found["h"]) + int(found["m"])
    return _DAY * _number(found["d"]) + 3600.0 * int(found["h"]) + 60.0 * int(found["m"]) + _number(found["s"])


def _spelled(cell: str) -> float:
    seconds, at, text = 0.0, 0, cell.strip()
    while at < len(text):
        found = _SPELLED.match(text, at)
        if not found:
            return math.nan
        unit = found[2]
        seconds += _number(found[1]) * _SECONDS[unit if unit in _SECONDS else unit[0]]
        at = found.end()
    return seconds if at else math.nan


def _at(year: int, month: int, day: int, found: re.Match[str]) -> float:
    try:
        midnight = datetime(year + 2000 if year < 100 else year, month, day, tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return math.nan
    seconds = midnight + (_hour(found) if found["h"] else 0.0)
    zone = found["zone"] or ""
    if zone[:1] in ("+", "-") and zone:
        away = 3600.0 * int(zone[1:3]) + 60.0 * int(zone[-2:])
        return seconds - away if zone[0] == "+" else seconds + away
    return seconds


def _compact(cell: str) -> float:
    found = _COMPACT.match(cell.strip())
    return _at(int(found["a"]), int(found["b"]), int(found["c"]), found) if found else math.nan


def _dated(order: str) -> Parse:
    """Dates of numbers, in an order such as `mdy`."""

    def parse(cell: str) -> float:
        found = _DATED.match(cell.strip())
        if not found:
            return math.nan
        part = dict(zip(order, (int(found["a"]), int(found["b"]), int(found["c"])), strict=True))
        return _at(part["y"], part["m"], part["d"], found)

    return parse


def _order(cells: Sequence[str], more: Callable[[], Iterable[str]]) -> str:
    """In which order the numbers of dates stand; empty where these are none."""
    first = next((found for cell in cells if (found := _DATED.match(cell.strip()))), None)
    if first is None:
        return ""
    if len(first["a"]) == 4:
        return "ymd"
    if first["sep"] == ".":
        return "dmy"
    for cell in _both(cells, more):
        found = _DATED.match(cell.strip())
        if found and int(found["a"]) > 12:
            return "dmy"
        if found and int(found["b"]) > 12:
            return "mdy"
    return "mdy" if first["sep"] == "/" else "dmy"


def _both(cells: Sequence[str], more: Callable[[], Iterable[str]]) -> Iterator[str]:
    yield from cells
    yield from more()


def _by_form(form: str) -> Parse:
    def parse(cell: str) -> float:
        text = re.sub(r"\s+(?:[A-Z]{3,4}|[+-]\d{4})(?=$|\s+\d{4}$)", "", cell.strip())
        try:
            year = "" if "%Y" in form or "%y" in form else " 1972"  # a leap year
            return datetime.strptime(text + year, form + (" %Y" if year else "")).replace(tzinfo=UTC).timestamp()
        except ValueError:
            return math.nan

    return parse


def renewed(clock: Clock) -> Clock:
    """The same clock, that has seen nothing yet."""
    return _Daily() if isinstance(clock, _Daily) else clock
