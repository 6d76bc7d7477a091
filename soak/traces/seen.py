"""The beginning of a table of text, by which it is told what its columns are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Row = tuple[int, Sequence[str]]
"""The number of the line on which it ends, and its cells."""


@dataclass(frozen=True, slots=True)
class TableHead:
    """The beginning of a table."""

    source: str
    header: Sequence[str]
    rows: Sequence[Row]
    semicolons: bool = False
    more: Callable[[], Iterable[Sequence[str]]] = tuple
    """All its rows, where the first do not say enough."""
    headed: bool = True
    """Whether its header is its own, and not of the format."""

    def cells(self, column: int) -> list[str]:
        """The cells of a column."""
        return [row[column] for _, row in self.rows if column < len(row)]

    def name(self, column: int) -> str:
        """What a column is called."""
        return self.header[column] or f"column {column + 1}"


def is_nameless(name: str) -> bool:
    """Whether a column is called by its place, as it has no name."""
    return re.fullmatch(r"column \d+", name) is not None


def joined(rows: Sequence[Row], places: Sequence[int]) -> list[str]:
    """The cells of a time, each date with its time of day."""
    if len(places) == 1:
        place = places[0]
        return [row[place] if place < len(row) else "" for _, row in rows]
    return [" ".join(row[i].strip() for i in places if i < len(row)) for _, row in rows]
