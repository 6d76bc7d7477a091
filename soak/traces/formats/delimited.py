"""CSV and its kin: columns separated by commas, semicolons, tabs, bars or spaces, below a header."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from monitors.detection.series import Floats
from soak.errors import UsageError
from soak.traces import clocks, packed, room, spaced, times, units
from soak.traces.cells import EMPTY, writing_of
from soak.traces.columns import Trace
from soak.traces.layout import Layout, layout_of
from soak.traces.request import TraceRequest
from soak.traces.seen import Row
from soak.traces.source import Beginning, TraceSource
from soak.traces.spaced import SPACES, WIDE
from soak.traces.textual import groups_of, seen_of, walk

if TYPE_CHECKING:
    import pyarrow as pa

    from soak.traces.clocks import Clock
    from soak.traces.groups import Groups

EXAMPLE = "timestamp, memory.used [MiB]\n2026/06/29 10:00:00.000, 4099 MiB"
_SIGNS = (",", ";", "\t", "|")
_PREAMBLE = 30
"""Lines above a header, at most."""
_BLOCK, _MOST_BLOCK = 1 << 20, 64 << 20
_ROWS_A_BLOCK = 64
_SEP = re.compile(r"\ufeff?\"?sep=(.)\"?\s*$", re.IGNORECASE)


def sniff(begins: Beginning) -> bool:
    """What no other format is."""
    return False


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """Its traces; memory is bounded.

    Raises:
        UsageError: it cannot be read, is damaged, or is no table with a column of times.
    """
    table = _table(source)
    if table is None:
        return [Trace(source.name, (), ("the file is empty",))]
    layout = layout_of(seen_of(table), request)
    layout = replace(layout, notes=[*layout.notes, *_above(table)])
    if _is_plain(table, layout):
        try:
            return _stream(table, layout)
        except _MalformedError:
            pass
    return walk(table, layout, _inside_header(table))


def _inside_header(table: _Table) -> int:
    """How many rows stand within a quotation that begins in the header, and does not end there."""
    more = islice(table.file.lines(), table.header_begin, table.header_line)
    return sum(_is_row(_names(text, table.sign, ()), len(table.header)) for _, text in more)


def _is_row(cells: Sequence[str], columns: int) -> bool:
    """Whether the cells of a line have an amount or a time; a name of two lines, as of one with its unit, has neither.

    columns: names that the header has.
    """
    cells = [cell.strip('"') for cell in cells]
    return len(cells) > int(columns > 1) and any(_is_number(cell) or spaced.is_moment(cell) for cell in cells)


def _above(table: _Table) -> list[str]:
    """What is said of lines above the header that are no comments."""
    lines = islice(table.file.lines(), max(0, table.header_begin - 1)) if table.above else ()
    count = sum(bool(text.strip()) and not text.startswith("#") and not _SEP.match(text) for _, text in lines)
    return [f"{count:,} lines above the header left out"] if count else []


class _MalformedError(Exception):
    """The fast reader met what it cannot read, or cannot read at all."""


@dataclass(frozen=True, slots=True)
class _Table:
    """A file, and how its columns are separated. Satisfies `TextTable`."""

    source: str
    file: TraceSource
    sign: str
    header: Sequence[str]
    header_line: int
    """On which line it ends; 0 where there is none."""
    headed: bool = True
    above: bool = False
    """Whether its header is not the first of its lines."""
    header_begin: int = 0
    """On which line it begins; 0 where there is none. A name in quotation marks may be of several lines."""

    @property
    def semicolons(self) -> bool:
        """Whether a comma is that of decimals."""
        return self.sign == ";"

    def rows(self) -> Iterator[Row]:
        """All rows behind the header, those that are empty too."""
        again = self._header_again()
        for line, row in _rows(self.file, self.sign):
            if line <= self.header_line or _is_of_header(self, row):
                continue
            if again and row == again:
                yield line, self.header
            else:
                yield line, spaced.whole(row, self.header) if self.sign == SPACES else row

    def _header_again(self) -> list[str]:
        """Its header as a row, where that has not the names it is given."""
        if self.sign != SPACES or not self.header_line:
            return []
        return next((row for line, row in _rows(self.file, self.sign) if line == self.header_line), [])


def _is_of_header(table: _Table, row: Sequence[str]) -> bool:
    """Whether a row below a header that begins with # has its units, or is it again."""
    return bool(row) and table.sign == SPACES and row[0].startswith("#") and table.headed


def _rows(source: TraceSource, sign: str) -> Iterator[tuple[int, list[str]]]:
    """Every row, with the number of the line on which it ends."""
    if sign in (SPACES, WIDE):
        for line, text in source.lines():
            yield line, spaced.split(text, sign)
        return
    reader = csv.reader(packed.lines(source.path, source.packed), delimiter=sign, skipinitialspace=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise UsageError(f"{source.name}: line {reader.line_num:,}: not valid CSV: {error}") from error


def _table(source: TraceSource) -> _Table | None:
    """How the columns of a file are separated, and where its header is."""
    first = [(line, text) for line, text in islice(source.lines(), 2 * _PREAMBLE) if text.strip("\r\n\ufeff \0")]
    if not first:
        return None
    told = _SEP.match(first[0][1])
    signs: Sequence[str] = (told[1],) if told else (*_SIGNS, SPACES)
    if told:
        first = first[1:] or first
    for line, text in first[:_PREAMBLE]:
        for sign in signs:
            names = _names(text, sign, [other for at, other in first if at > line])
            timed = len(names) > 1 and any(map(times.is_time, names)) and not spaced.is_data(names)
            if timed and _fits(names, sign, [other for at, other in first if at > line]):
                return _found(source, sign, line, first)
    return _without_time(source, first, signs)


def _fits(names: Sequence[str], sign: str, below: Sequence[str]) -> bool:
    """Whether rows have as many cells as there are names; between spaces more, where a time is cut."""
    data = next((other for other in below if not other.startswith("#")), "")
    if not data:
        return True
    if sign not in (SPACES, WIDE):
        return len(names) <= len(_names(data, sign, ())) or any(
            clocks.clock_of("", [cell]) for cell in _first(data, sign)
        )
    return len(names) <= len(spaced.split(data, sign)) <= len(names) + 8


def _first(text: str, sign: str) -> list[str]:
    return [cell for cell in _names(text, sign, ())[:1] if cell]


def _found(source: TraceSource, sign: str, line: int, first: Sequence[tuple[int, str]]) -> _Table:
    if sign in (SPACES, WIDE):
        text = next(text for at, text in first if at == line)
        names = _names(text, sign, [other for at, other in first if at > line])
        return _Table(source.name, source, sign, names, line, above=line > first[0][0], header_begin=line)
    for at, row in _rows(source, sign):
        if at >= line:
            names = ["RSS [KiB]"] if row == ["RSS"] else [_clean(name) for name in row]  # ps has KiB
            return _Table(source.name, source, sign, names, at, above=line > first[0][0], header_begin=line)
    raise UsageError(f"{source.name}: its header is not there any more: the file was changed")


def _clean(name: str) -> str:
    return name.strip().strip("\ufeff").strip()


def _names(text: str, sign: str, below: Sequence[str]) -> list[str]:
    """The names of a header."""
    if sign in (SPACES, WIDE):
        return spaced.names(_clean(text), sign, below)
    try:
        return [_clean(name) for name in next(csv.reader([text], delimiter=sign, skipinitialspace=True), [])]
    except csv.Error:
        return []


def _without_time(source: TraceSource, first: Sequence[tuple[int, str]], signs: Sequence[str]) -> _Table:
    """No name is that of a time: the first line is the header, unless units and times say that there is none."""
    line, text = first[0]
    below = [other for _, other in first[1:]]
    signs = [*signs, WIDE]
    counts = {sign: len(_names(text, sign, below)) for sign in signs}
    alike = [sign for sign in signs if counts[sign] > 1 and _like(below, sign, counts[sign])]
    sign = (alike or [","])[0]
    cells = spaced.split(text, sign) if sign == SPACES else _names(text, sign, below)
    ahead = spaced.time_ahead(cells) if sign == SPACES else 1
    time = " ".join(cells[:ahead])
    if time and (spaced.is_moment(time) or (clocks.clock_of("", [time]) and _holds_amounts(cells[1:]))):
        return _Table(source.name, source, sign, _unnamed(len(cells) - ahead), 0, False)
    names = _names(text, sign, below)
    if len(names) > 1 and _holds_amounts(names):
        return _Table(source.name, source, sign, [f"column {i}" for i in range(1, len(names) + 1)], 0, False)
    return _found(source, sign, line, first)


def _unnamed(columns: int) -> list[str]:
    """The header of a table that has none, and begins with a time."""
    return ["time", *(f"column {i}" for i in range(2, columns + 2))]


def _like(below: Sequence[str], sign: str, count: int) -> bool:
    few = below[:5]
    return bool(few) and all(len(_names(text, sign, ())) == count for text in few)


def _holds_amounts(cells: Sequence[str]) -> bool:
    return any(writing_of([cell]).unit in units.SIZES for cell in cells)


def _is_plain(table: _Table, layout: Layout) -> bool:
    """Whether the fast reader can read it."""
    of_signs = table.headed and table.sign not in (SPACES, WIDE) and table.header_line == 1
    of_one = len(layout.time) == 1 and not layout.keys and layout.series is None and not layout.newest_first
    plain = all(column.writing.plain for column in layout.columns)
    return of_signs and of_one and plain and packed.is_utf8(table.file.path, table.file.packed) and room.for_arrow()


def _stream(table: _Table, layout: Layout) -> list[Trace]:
    """The fast way, for files that are as they should be."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    time, places = str(layout.time[0]), [str(column.place) for column in layout.columns]
    as_text = _times_are_text(table, layout)
    names = [str(i) for i in range(len(table.header))]
    types = dict.fromkeys(places, pa.float64()) | {time: pa.string() if as_text else pa.float64()}
    block = min(_MOST_BLOCK, max(_BLOCK, _ROWS_A_BLOCK * sum(len(name) + 1 for name in table.header)))
    source = packed.Unpacked(table.file.path) if table.file.packed else table.file.path
    groups = groups_of(layout)
    try:
        batches = arrow_csv.open_csv(
            source,
            read_options=arrow_csv.ReadOptions(block_size=block, column_names=names, skip_rows=1, use_threads=False),
            parse_options=arrow_csv.ParseOptions(delimiter=table.sign),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types, include_columns=list(dict.fromkeys([time, *places])), strings_can_be_null=False,
                null_values=[*EMPTY, *(word.upper() for word in EMPTY), "NaN", "None"],
            ),
        )  # fmt: skip
        _take_all(batches, layout, groups, as_text)
    except StopIteration:
        pass
    except (pa.ArrowException, OSError, ValueError) as error:
        # Of what is truly wrong the slow reader can say where.
        if "Empty CSV" not in str(error):
            raise _MalformedError from error
    return groups.traces()


def _times_are_text(table: _Table, layout: Layout) -> bool:
    seen = [row[layout.time[0]] for _, row in islice(table.rows(), 200) if len(row) > layout.time[0]]
    return not all(_is_number(cell) for cell in seen)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _take_all(batches: Any, layout: Layout, groups: Groups, as_text: bool) -> None:
    clock = layout.clock() if layout.clock else None
    unit = 1.0
    if clock is not None and not as_text:
        unit = 1.0 / float(clock(["1"])[0])
    for batch in batches:
        columns = {name: batch.column(i) for i, name in enumerate(batch.schema.names)}
        time = columns[str(layout.time[0])]
        t = _of_texts(time.to_pylist(), clock) if as_text and clock else _floats(time) / unit
        groups.add(t, [_floats(columns[str(one.place)]) * one.scale for one in layout.columns], ())


def _of_texts(cells: Sequence[str | None], clock: Clock) -> Floats:
    """The times of a batch.

    Raises:
        _MalformedError: quotes stand in them, as blanks stood before those.
    """
    if any('"' in cell for cell in cells if cell):
        raise _MalformedError
    return clock([cell or "" for cell in cells])


def _floats(column: pa.Array) -> Floats:
    return np.array(column.to_numpy(zero_copy_only=False), dtype=np.float64)
