"""Rows of a table of which pages may be damaged: read on behind whatever cannot be read. Pure: reading is passed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

Row = tuple[Any, ...]
Read = Callable[[int, bool], Iterable[Row]]
"""Rows from an id on, ascending; only the first of them if the second argument is true. Raises where it is damaged."""

MOST_HOLES = 10_000
"""Stretches that cannot be read: with more than this, what is left is not looked for."""
_FAR = 2**40
"""Ids that are looked for behind a hole."""


def salvaged(read: Read, intact: Callable[[Row], bool], damage: type[Exception], low: int = 0) -> Iterator[Row]:
    """Every row that is whole from the id `low` on, some perhaps twice.

    A row's first value is its id, counted up by whoever wrote it. The id of a row that is not whole is not believed.
    """
    for _ in range(MOST_HOLES):
        try:
            for row in read(low, False):
                if intact(row):
                    yield row
                    low = max(low, row[0] + 1)
        except damage:
            pass
        else:
            return
        found = _behind(read, low, damage)
        if found is None:
            return
        at, row = found
        if intact(row):
            yield row
        low = at + 1


def _behind(read: Read, low: int, damage: type[Exception]) -> tuple[int, Row] | None:
    """The first place from `low` on where a row can be read, and that row: by leaps, then by halving."""

    def look(at: int) -> Row | bool:
        try:
            return next(iter(read(at, True)), True)
        except damage:
            return False

    bad, leap = low - 1, 0
    while not (row := look(low + leap)):
        bad, leap = low + leap, 2 * leap or 1
        if leap > _FAR:
            return None
    good = low + leap
    while good - bad > 1:
        middle = (good + bad) // 2
        if between := look(middle):
            good, row = middle, between
        else:
            bad = middle
    return None if row is True else (good, row)  # type: ignore[return-value]
