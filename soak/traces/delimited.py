"""CSV: the first column is the time, every other numeric column is a series."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from monitors.detection.series import Floats
from monitors.text import one_line
from soak.errors import UsageError
from soak.traces import room, times
from soak.traces.cells import EMPTY, mostly_numbers, numbers
from soak.traces.columns import Trace, check_names, is_step, listed, metric_of, second_clocks
from soak.traces.packed import Unpacked, lines
from soak.traces.reading import TraceBuilder

if TYPE_CHECKING:
    import pyarrow as pa

_PEEKED = 200
"""Rows that decide which columns are numbers."""
_CHARACTERS = 16 << 20
"""Characters that are held at most, however long the rows are."""
_BLOCK, _MOST_BLOCK = 1 << 20, 64 << 20
_ROWS_A_BLOCK = 64
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True, slots=True)
class _Table:
    """What the first lines of a file say of the others."""

    path: Path
    packed: bool
    header: Sequence[str]
    header_line: int
    """On which line it ends."""
    chosen: Sequence[int]
    """Columns that are read, the time not among them."""
    times_are_text: bool
    unit: float
    """How many units of the time are a second."""
    notes: Sequence[str]

    def reading(self) -> TraceBuilder:
        """For its rows."""
        return TraceBuilder(str(self.path), [_name(self.header, i) for i in self.chosen], list(self.notes))


def read(path: Path, packed: bool) -> Trace:
    """Read a CSV file, packed by gzip or not.

    Raises:
        UsageError: it cannot be read, is damaged, or is no table whose first column is the time.
    """
    table = _look(path, packed)
    if table is None:
        return Trace(str(path), (), ("the file is empty",))
    reading = table.reading()
    try:
        _stream(table, reading)
    except _MalformedError:
        reading = table.reading()
        _walk(table, reading)
    return reading.trace()


class _MalformedError(Exception):
    """The fast reader met what it cannot read, or cannot read at all."""


def _rows(path: Path, packed: bool) -> Iterator[tuple[int, list[str]]]:
    """Every row, with the number of the line on which it ends."""
    reader = csv.reader(lines(path, packed))
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise UsageError(f"{path}: line {reader.line_num:,}: not valid CSV: {error}") from error


def _look(path: Path, packed: bool) -> _Table | None:
    rows = ((line, row) for line, row in _rows(path, packed) if row)
    header_line, names = next(rows, (0, []))
    if not names:
        return None
    header = [name.strip().strip("\ufeff").strip() for name in names]
    _check_header(path, header)
    peeked = _first(row for _, row in rows)
    clocks = second_clocks(header, 0)
    texts = {i for i in range(1, len(header)) if i not in clocks and not _is_judged(header, peeked, i)}
    chosen = [i for i in range(1, len(header)) if i not in clocks and i not in texts]
    if peeked and all(is_step(header[i]) for i in chosen):
        raise UsageError(f"{path}: no column but the time holds numbers; expected at least one, such as rss_bytes")
    first = [row[0] for row in peeked]
    text = times.are_texts(first)
    notes = _set_aside(header, texts, clocks)
    unit = 1.0 if text else times.unit_of(numbers(first))
    return _Table(path, packed, header, header_line, chosen, text, unit, notes)


def _first(rows: Iterator[list[str]]) -> list[list[str]]:
    """Rows to judge the columns by."""
    first: list[list[str]] = []
    characters = 0
    for row in rows:
        first.append(row)
        characters += sum(map(len, row))
        if len(first) == _PEEKED or characters > _CHARACTERS:
            break
    return first


def _set_aside(header: Sequence[str], texts: set[int], clocks: set[int]) -> list[str]:
    notes = []
    named = [_name(header, i) for i in sorted(texts) if header[i]]
    if named:
        notes.append(f"columns that hold no numbers: {listed(named)}")
    if clocks:
        notes.append(f"columns that are times or steps too, not judged: {listed(header[i] for i in sorted(clocks))}")
    return notes


def _name(header: Sequence[str], column: int) -> str:
    return header[column] or f"column {column + 1}"


def _check_header(path: Path, header: Sequence[str]) -> None:
    if times.is_time(header[0]):
        check_names(str(path), header)
        return
    first = one_line(repr(header[0]), 80)
    known = ", ".join(times.NAMES[:3])
    hint = f"; its columns seem to be separated by {sep}, not commas" if (sep := _separator(header[0])) else ""
    raise UsageError(
        f"{path}: first column {first}: expected a header whose first column is the time ({known}, …), in UTF-8{hint}"
    )


def _separator(first: str) -> str:
    return next((name for sign, name in _SEPARATORS.items() if times.is_time(first.partition(sign)[0])), "")


def _is_judged(header: Sequence[str], rows: Sequence[Sequence[str]], column: int) -> bool:
    """Whether a column holds numbers, or should by its name; one without a name must hold any."""
    cells = [row[column] for row in rows if column < len(row)]
    if not header[column]:
        return any(cell.strip() for cell in cells) and mostly_numbers(cells)
    return metric_of(header[column]).layer is not None or mostly_numbers(cells)


def _stream(table: _Table, reading: TraceBuilder) -> None:
    """The fast way, for files that are as they should be."""
    if table.header_line > 1 or not room.for_arrow():
        raise _MalformedError
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [str(i) for i in range(len(table.header))]
    types = {str(i): pa.float64() for i in table.chosen}
    types["0"] = pa.string() if table.times_are_text else pa.float64()
    block = min(_MOST_BLOCK, max(_BLOCK, _ROWS_A_BLOCK * sum(len(name) + 1 for name in table.header)))
    source = Unpacked(table.path) if table.packed else table.path
    try:
        batches = arrow_csv.open_csv(
            source,
            read_options=arrow_csv.ReadOptions(block_size=block, column_names=names, skip_rows=1, use_threads=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types, include_columns=["0", *(str(i) for i in table.chosen)], strings_can_be_null=False,
                null_values=[*EMPTY, *(word.upper() for word in EMPTY), "NaN", "None"],
            ),
        )  # fmt: skip
        for batch in batches:
            _take(batch, table, reading)
    except StopIteration:
        pass
    except (pa.ArrowException, OSError, ValueError) as error:
        # Of what is truly wrong the slow reader can say where.
        if "Empty CSV" not in str(error):
            raise _MalformedError from error


def _take(batch: pa.RecordBatch, table: _Table, reading: TraceBuilder) -> None:
    first, *rest = batch.columns
    t = times.of_texts(first.to_pylist()) if table.times_are_text else _floats(first) / table.unit
    reading.add(t, [_floats(column) for column in rest])


def _floats(column: Any) -> Floats:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


class _Walk:
    """Sorts rows, and remembers where the first broken cell was."""

    def __init__(self, table: _Table, reading: TraceBuilder) -> None:
        self._table, self._reading = table, reading
        self._width = max(table.chosen, default=0) + 1
        self._whole: list[list[str]] = []
        self._characters = 0
        self._line = table.header_line
        self.broken = ""

    def add(self, line: int, row: list[str]) -> None:
        """Take a row that ends on a line of the file."""
        swallowed, self._line = line - self._line - 1, line
        self._reading.lose(swallowed, "they are inside a quoted field")
        if len(row) < self._width:
            self._reading.lose(int(any(row)), "they have too few columns")
        elif any(cell.strip() for cell in row[len(self._table.header) :]):
            self._reading.lose(1, "they have too many columns")
        else:
            self._whole.append(row)
            self._characters += sum(map(len, row))
            if self._characters > _CHARACTERS:
                self.flush()

    def flush(self) -> None:
        """Hand on what has come."""
        first = [row[0] for row in self._whole]
        t = times.of_texts(first) if self._table.times_are_text else numbers(first) / self._table.unit
        columns = [numbers(row[i] for row in self._whole) for i in self._table.chosen]
        self._reading.add(t, columns)
        if not self.broken:
            self.broken = self._first_broken(columns)
        self._whole, self._characters = [], 0

    def _first_broken(self, columns: Sequence[Floats]) -> str:
        for i, values in zip(self._table.chosen, columns, strict=True):
            if np.isinf(values).any():
                cell = self._whole[int(np.argmax(np.isinf(values)))][i]
                return (
                    f"{one_line(_name(self._table.header, i), 60)}: {one_line(repr(cell), 60)} is not a finite number"
                )
        return ""


def _walk(table: _Table, reading: TraceBuilder) -> None:
    """The slow way: cell by cell; what is no number is absent, and so is a line that was cut short or runs on."""
    walk = _Walk(table, reading)
    for line, row in _rows(table.path, table.packed):
        if line > table.header_line:
            walk.add(line, row)
    walk.flush()
    if walk.broken:
        reading.notes.append(walk.broken)
