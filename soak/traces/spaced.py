"""Tables between whose columns blanks stand, as `ps`, `docker stats`, `kubectl top` and `sar` print them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from soak.traces import clocks, times, units

SPACES = " "
WIDE = "  "
"""Two blanks or more separate columns whose cells hold single ones, as `docker stats` prints them."""
_ALIGNED = re.compile(r"\s{2,}|\t")
_IN_KIB = ("RSS", "VSZ", "SZ", "USS", "PSS")
"""What `ps` and `smem` write without a unit."""
_OF_PS = {"TIME": "CPUTIME", "START": "BEGUN", "STIME": "BEGUN", "STARTED": "BEGUN", "LSTART": "BEGUN"}
"""Columns of `ps` that are no time of a sample, and by what they are called so that they are not taken for one."""
_COMMANDS = {"command", "cmd", "args", "comm", "name"}
_LONGEST_TIME = 6
"""Words of a date, as `date` prints it."""


def split(text: str, sign: str) -> list[str]:
    """The cells of a line."""
    return text.split() if sign == SPACES else _ALIGNED.split(text.strip())


def is_data(names: Sequence[str]) -> bool:
    """Whether most of what may be names are numbers."""
    return sum(bool(re.match(r"[+-]?\d", name)) for name in names) > len(names) // 2


def names(text: str, sign: str, below: Sequence[str]) -> list[str]:
    """The names of a header. below: the lines under it."""
    if sign == WIDE:
        return _ALIGNED.split(text.strip())
    line = text.lstrip("#").strip()
    data = next((other.split() for other in below if not other.startswith("#")), [])
    aligned = _ALIGNED.split(line)
    found = aligned if len(aligned) == len(data) and len(aligned) > 1 else line.split()
    if len(found) > 2 and ":" in found[0] and clocks.clock_of("", found[:1]) and not is_data(found[1:]):
        found = ["time", *found[2 if found[1] in ("AM", "PM") else 1 :]]  # sar writes the time of the header
    if "PID" in found and {"RSS", "VSZ", "%MEM"} & set(found):
        found = [_OF_PS.get(name, name) for name in found]
    found = [f"{name} [KiB]" if name in _IN_KIB else name for name in found]
    if text.startswith("#") and below and below[0].startswith("#"):
        spelled = below[0].lstrip("#").split()
        if len(spelled) == len(found):
            return [_with_unit(name, unit, found) for name, unit in zip(found, spelled, strict=True)]
    return found


def _with_unit(name: str, unit: str, beside: Sequence[str]) -> str:
    """`nvidia-smi` calls a MiB an MB, and the share of time in which memory is busy `mem`."""
    size = unit.lower() in units.SIZES or unit == "%"
    if name == "mem" and unit == "%" and "sm" in beside:
        name = "mem bandwidth"
    return f"{name} [{'MiB' if unit == 'MB' else unit}]" if size else name


def whole(row: list[str], header: Sequence[str]) -> list[str]:
    """A row between whose blanks a time, or the name of a program, was cut."""
    more = len(row) - len(header)
    if more <= 0 or not row:
        return row
    place = next((i for i, name in enumerate(header) if times.is_time(name)), -1)
    if place >= 0 and more < _LONGEST_TIME:
        time = " ".join(row[place : place + more + 1])
        if clocks.clock_of(header[place], [time]):
            return [*row[:place], time, *row[place + more + 1 :]]
    place = next((i for i in reversed(range(len(header))) if set(times.words(header[i])) & _COMMANDS), -1)
    if place < 0:
        return row
    return [*row[:place], " ".join(row[place : place + more + 1]), *row[place + more + 1 :]]


def time_ahead(cells: Sequence[str]) -> int:
    """How many of the first cells are one time, as long as it may be; 0 where they are none."""
    longest = min(_LONGEST_TIME, len(cells) - 1)
    return next((n for n in range(longest, 0, -1) if is_moment(" ".join(cells[:n]))), 0)


def is_moment(text: str) -> bool:
    """Whether a text is a date or a time of day, or seconds since 1970, by itself."""
    if re.fullmatch(r"1\d{9}(?:\d{3})?(?:\.\d+)?", text):
        return True
    marked = text.count(":") in (1, 2, 3) and re.search(r"\d:\d\d", text)
    return bool(marked) and clocks.clock_of("", [text]) is not None
