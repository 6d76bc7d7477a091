"""Which columns of a table of text are the time, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from monitors.text import one_line
from soak.errors import UsageError
from soak.traces import cells, clocks, times
from soak.traces.clocks import Clock
from soak.traces.columns import listed
from soak.traces.request import TraceRequest, matches
from soak.traces.seen import TableHead, joined

_DATED = 0.9
"""Share of cells that are dates where a column is one of them; above the first, a few may say what is below."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Columns that hold numbers, whatever is the time."""

    numbers: Sequence[int]
    known: bool
    """Whether one of them is plainly memory, descriptors or threads."""


def time_of(
    seen: TableHead, request: TraceRequest, amounts: Callable[[], Amounts]
) -> tuple[list[int], Callable[[], Clock] | None, list[str], bool]:
    """Columns that are the time, how they are read, what is to be said of them, and whether they count steps."""
    if request.time is not None:
        places = [i for i in range(len(seen.header)) if matches(seen.header[i], request.time)]
        if not places:
            raise UsageError(
                f"{seen.source}: --time {one_line(request.time, 60)}: no such column; expected one of "
                f"{listed(seen.header, 12)}"
            )
        return places[:1], _clock(seen, places[:1]), [], False
    named = [i for i, name in enumerate(seen.header) if times.is_time(name)]
    if pair := _date_and_time(seen, named):
        return pair, _clock(seen, pair), [], False
    for i in _rising_first(seen, named):
        return [i], _clock(seen, [i]), [], False
    dated = [i for i in range(len(seen.header)) if _holds_dates(seen, i)]
    if dated:
        return dated[:1], _clock(seen, dated[:1]), [], False
    counting = [i for i, name in enumerate(seen.header) if _counts(seen, i, name)]
    if counting and request.interval is None and any(i not in counting for i in amounts().numbers):
        name = one_line(seen.name(counting[0]), 60)
        note = f"{name} counts, and stands for the time: an hour is 3,600 of it"
        return counting[:1], _clock(seen, counting[:1]), [note], True
    if request.interval is not None or amounts().known:
        note = "no column is the time, rows are counted: "
        every = (
            f"{request.interval:g} s apart" if request.interval else "an hour is 3,600 of them; --interval says more"
        )
        return [], None, [note + every], False
    raise _no_time(seen)


def _no_time(seen: TableHead) -> UsageError:
    first = one_line(repr(seen.header[0]), 80)
    known = ", ".join(times.NAMES)
    return UsageError(
        f"{seen.source}: first column {first}: expected a header with a column that is the time ({known}, …), in "
        "UTF-8; --time names another one"
    )


def _rising_first(seen: TableHead, named: Sequence[int]) -> list[int]:
    """Columns of times, those first that are not the same in all rows."""
    return sorted(named, key=lambda i: len(seen.rows) > 1 and len(set(seen.cells(i))) == 1)


def _date_and_time(seen: TableHead, named: Sequence[int]) -> list[int]:
    """A column of dates, and one of times of day; none where there are none."""
    if len(named) < 2:
        return []
    words = {i: set(times.words(seen.header[i])) for i in named}
    dates = [i for i in named if words[i] & {"date", "datum", "yyyymmdd"} and not _any(seen, i, ":")]
    of_day = [i for i in named if i not in dates and _any(seen, i, ":") and not _any(seen, i, "-")]
    if not dates or not of_day:
        return []
    return [dates[0], of_day[0]]


def _any(seen: TableHead, column: int, sign: str) -> bool:
    return any(sign in cell for cell in seen.cells(column))


def _holds_dates(seen: TableHead, column: int) -> bool:
    """Whether a column of another name holds dates or times of day."""
    full = [cell for cell in seen.cells(column) if cell.strip()]
    marked = sum(cell.count(":") >= 2 or cell.count("-") == 2 or cell.count("/") == 2 for cell in full)
    return bool(full) and marked >= _DATED * len(full) and clocks.clock_of(seen.header[column], full) is not None


def _counts(seen: TableHead, column: int, name: str) -> bool:
    """Whether a column counts what is done one after the other; one without a name must do so from 0 or 1."""
    full = [cell for cell in seen.cells(column) if cell.strip()]
    values = cells.numbers(full)
    if not len(values) or not np.isfinite(values).all() or not (np.diff(values) >= 0).all() or values[0] == values[-1]:
        return False
    return times.is_count(name) or (not name and values[0] in (0.0, 1.0) and bool((np.diff(values) == 1).all()))


def _clock(seen: TableHead, places: Sequence[int]) -> Callable[[], Clock]:
    """How these columns are read.

    Raises:
        UsageError: most of their cells are no times.
    """
    name = seen.header[places[0]] if len(places) == 1 else ""
    first = joined(seen.rows, places)

    def more() -> Iterable[str]:
        return (text for row in seen.more() for text in joined([(0, row)], places))

    def make() -> Clock | None:
        return clocks.clock_of(name, first, more)

    clock = make()
    if clock is None:
        fresh = next((line, cell) for (line, _), cell in zip(seen.rows, first, strict=True) if _unread(name, cell))
        shown = one_line(repr(fresh[1]), 60)
        column = one_line(seen.name(places[0]), 60)
        raise UsageError(
            f"{seen.source}: line {fresh[0]:,}, column {column}: {shown} is not a time; expected {clocks.EXPECTED}"
        )
    return lambda: clocks.renewed(clock)


def _unread(name: str, cell: str) -> bool:
    return bool(cell.strip()) and clocks.clock_of(name, [cell]) is None
