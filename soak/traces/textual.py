"""A table of text, whatever its format: rows sorted by entity, read cell by cell, and every loss counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

import numpy as np

from monitors.detection.series import Floats
from monitors.text import one_line
from soak.errors import UsageError
from soak.traces.columns import Trace
from soak.traces.groups import Groups, Key
from soak.traces.layout import Layout, layout_of, of_series
from soak.traces.reading import TraceBuilder
from soak.traces.request import TraceRequest
from soak.traces.seen import Row, TableHead, joined

PEEKED = 200
"""Rows that decide what the columns are."""
_CHARACTERS = 16 << 20
"""Characters that are held at most, however long the rows are."""
_ROWS = 20_000
"""Rows that are held at most, where they are short."""

_QUOTED = "they are inside a quoted field"
_TURNED, _A_ROW = 256 << 20, 200
"""Characters of a table that is turned round, at most, and what a row costs beside them."""


class TextTable(Protocol):
    """Where rows of text come from."""

    @property
    def source(self) -> str:
        """As errors call it."""
        ...

    @property
    def header(self) -> Sequence[str]:
        """The names of its columns."""
        ...

    @property
    def header_line(self) -> int:
        """On which line it ends; 0 where it is none of the file's."""
        ...

    @property
    def semicolons(self) -> bool:
        """Whether these separate its columns, so that a comma is that of decimals."""
        ...

    @property
    def headed(self) -> bool:
        """Whether its header is its own, and not of the format."""
        ...

    def rows(self) -> Iterator[Row]:
        """All rows behind the header, from the first."""
        ...


@dataclass(frozen=True, slots=True)
class TextRows:
    """A table whose format names its columns. Satisfies `TextTable`."""

    source: str
    header: Sequence[str]
    every: Callable[[], Iterator[Row]]
    header_line: int = 0
    semicolons: bool = False
    headed: bool = False

    def rows(self) -> Iterator[Row]:
        """All rows, from the first."""
        return self.every()


def seen_of(table: TextTable) -> TableHead:
    """The beginning of a table."""
    rows: list[Row] = []
    characters = 0
    for line, row in islice(table.rows(), PEEKED):
        if list(row[1:]) == list(table.header[1:]) and len(row) > 1:
            continue
        rows.append((line, row))
        characters += sum(map(len, row))
        if characters > _CHARACTERS:
            break

    def more() -> Iterator[Sequence[str]]:
        return (row for _, row in table.rows())

    return TableHead(table.source, table.header, rows, table.semicolons, more, table.headed)


def read(table: TextTable, request: TraceRequest) -> list[Trace]:
    """The traces of a table.

    Raises:
        UsageError: it is damaged, or no table of samples.
    """
    return walk(table, layout_of(seen_of(table), request))


def groups_of(layout: Layout) -> Groups:
    """What takes its rows."""
    names = [layout.header[i] or f"column {i + 1}" for i in layout.keys]
    if layout.series is not None:
        names = [*names, layout.header[layout.series]]

    def make(key: Key) -> TraceBuilder:
        columns = layout.columns
        if layout.series is not None and key:
            columns = [of_series(layout, key[-1])]
        named = [column.name for column in columns]
        metrics = [column.metric for column in columns]
        return TraceBuilder(layout.source, named, list(layout.notes), metrics, layout.steps)

    return Groups(layout.source, names, make)


def walk(table: TextTable, layout: Layout, in_header: int = 0) -> list[Trace]:
    """The slow way: cell by cell; what is no number is absent, and so is a line that was cut short or runs on.

    in_header: rows that the header swallowed.
    """
    taking = _Walk(layout, table.header_line)
    taking.groups.lose(in_header, _QUOTED)
    for line, row in _oldest_first(table) if layout.newest_first else table.rows():
        taking.add(line, row)
    taking.flush()
    if taking.broken:
        taking.groups.notes.append(taking.broken)
    if taking.headers:
        taking.groups.notes.append(f"{taking.headers:,} rows repeat the header")
    traces = taking.groups.traces()
    return traces if layout.series is None else _side_by_side(traces, layout)


def _oldest_first(table: TextTable) -> Iterator[Row]:
    """The rows of a table from its end.

    Raises:
        UsageError: they are too many to be held.
    """
    held: list[Row] = []
    characters = 0
    for line, row in table.rows():
        characters += sum(map(len, row)) + _A_ROW
        if characters > _TURNED:
            raise UsageError(f"{table.source}: its newest rows come first; expected the oldest first, as tac turns it")
        held.append((line, row))
    return reversed(held)


def _side_by_side(traces: Sequence[Trace], layout: Layout) -> list[Trace]:
    """What is of one entity, and was named row by row, in one trace."""
    last = f"{layout.header[layout.series or 0]}="
    by: dict[str, list[Trace]] = {}
    for trace in traces:
        by.setdefault(trace.source.rpartition(last)[0].strip().removesuffix(":") or layout.source, []).append(trace)
    return [
        replace(
            some[0], source=source, series=[one for trace in some for one in trace.series],
            notes=tuple(dict.fromkeys(note for trace in some for note in trace.notes)),
            lost={name: share for trace in some for name, share in trace.lost.items()},
        )
        for source, some in by.items()
    ]  # fmt: skip


class _Walk:
    """Sorts rows, and remembers where the first broken cell was."""

    def __init__(self, layout: Layout, header_line: int) -> None:
        self._layout = layout
        self.groups = groups_of(layout)
        self._clock = layout.clock() if layout.clock else None
        self._header = [name.strip() for name in layout.header]
        self._width = layout.width
        self._whole: list[Row] = []
        self._characters = 0
        self._counts: dict[Key, int] = {}
        self._factors: dict[str, float] = {}
        self._line = header_line
        self.broken = ""
        self.headers = 0

    def add(self, line: int, row: Sequence[str]) -> None:
        """Take a row that ends on a line of the file."""
        swallowed, self._line = (0 if self._layout.newest_first else line - self._line - 1), line
        if self._layout.header and swallowed > 0 and self._swallows(row):
            self.groups.lose(swallowed, _QUOTED)
        if len(row) < self._width:
            self.groups.lose(int(bool(row)), "they have too few columns")
        elif any(cell.strip() for cell in row[len(self._header) :]):
            self.groups.lose(1, "they have too many columns")
        elif len(row) > 1 and row[1].strip() == self._header[1] and self._repeats(row):
            self.headers += 1
        else:
            self._whole.append((line, row))
            self._characters += sum(map(len, row))
            if self._characters > _CHARACTERS or len(self._whole) > _ROWS:
                self.flush()

    def _repeats(self, row: Sequence[str]) -> bool:
        """Whether a row is the header again; sar writes another time into it."""
        return [cell.strip() for cell in row[1:]] == self._header[1:]

    def _swallows(self, row: Sequence[str]) -> bool:
        """Whether a row is of several lines; in other formats lines lie between rows."""
        return any("\n" in cell or "\r" in cell for cell in row)

    def flush(self) -> None:
        """Hand on what has come."""
        rows = self._whole
        keys = self._keys(rows)
        columns = [column.numbers(row[column.place] for _, row in rows) for column in self._layout.columns]
        if self._layout.series is not None and columns:
            factors = np.array([self._factor(key[-1]) for key in keys])
            columns = [column * factors for column in columns]
        self.groups.add(self._times(rows, keys), columns, keys)
        if not self.broken:
            self.broken = self._first_broken(columns)
        self._whole, self._characters = [], 0

    def _factor(self, name: str) -> float:
        """What the unit in the name of a series makes of a number in its column."""
        if name not in self._factors:
            self._factors[name] = of_series(self._layout, name).scale / self._layout.columns[0].scale
        return self._factors[name]

    def _keys(self, rows: Sequence[Row]) -> list[Key]:
        places = [*self._layout.keys, *([] if self._layout.series is None else [self._layout.series])]
        return [tuple(row[i].strip() for i in places) for _, row in rows] if places else []

    def _times(self, rows: Sequence[Row], keys: Sequence[Key]) -> Floats:
        if self._clock is not None:
            return self._clock(joined(rows, self._layout.time))
        counted = []
        for key in keys or [()] * len(rows):
            self._counts[key] = self._counts.get(key, -1) + 1
            counted.append(self._counts[key] * self._layout.interval)
        return np.array(counted, dtype=np.float64)

    def _first_broken(self, columns: Sequence[Floats]) -> str:
        for column, values in zip(self._layout.columns, columns, strict=True):
            if np.isinf(values).any():
                line, row = self._whole[int(np.argmax(np.isinf(values)))]
                cell = one_line(repr(row[column.place]), 60)
                return f"{one_line(column.name, 60)}: {cell} is not a finite number (line {line:,})"
        return ""
