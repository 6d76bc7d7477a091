"""Tables for a terminal of any width: no column is left out, no number is cut, no name is split.

Where the columns fit side by side they stand so. Where they do not, sentences are wrapped; where that is not enough,
each row becomes a block: its name, and below it lines of `heading: value`. In a pipe nothing is ever wrapped: one row
is one line.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, Group
from rich.text import Text

from reports.console import words

GAP = 2
"""Columns of the terminal between two cells."""
MOST_NAME = 60
"""Columns up to which a name stands whole, however narrow the terminal."""
INDENT = 3
"""Columns before a line of a block, and between two pairs in it."""
LEAST_PROSE = 28
"""Columns of the terminal that a sentence needs to be read."""

Cell = Text | str


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    heading: str
    right: bool = False
    """Numbers stand to the right."""
    prose: bool = False
    """Sentences, which may be wrapped between two words."""


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], console: Console) -> None:
    """Print one: as wide as the terminal, or as it needs where there is none."""
    console.print(table(columns, rows, console.width if console.is_terminal else None), soft_wrap=True)


def table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], width: int | None) -> Group:
    """Something to print with `soft_wrap=True`.

    Args:
        columns: their headings.
        rows: cells, one for each column; the first is what a row is called by.
        width: of the terminal; None where there is none.
    """
    cells = [tuple(cell if isinstance(cell, Text) else words(cell) for cell in row) for row in rows]
    if width is not None:
        for name, *_ in cells:
            name.truncate(max(MOST_NAME, width), overflow="ellipsis")
    return Group(*_lines(columns, cells, width))


def _lines(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int | None) -> Iterator[Text]:
    widths = _widths(columns, rows, width)
    if widths is None:
        assert width is not None
        for row in rows:
            yield from _block(columns, row, width)
        return
    headings = [Text(column.heading, "dim") for column in columns]
    yield _line(columns, headings, widths)
    for row in rows:
        yield from _row(columns, row, widths)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int | None) -> list[int] | None:
    """Of each column; None where they have no room beside each other."""
    widths = [
        max([len(column.heading), *(row[place].cell_len for row in rows)]) for place, column in enumerate(columns)
    ]
    over = sum(widths) + GAP * (len(columns) - 1) - (width or 0)
    if width is None or over <= 0:
        return widths
    prose = [place for place, column in enumerate(columns) if column.prose and widths[place] > LEAST_PROSE]
    spare = sum(widths[place] - LEAST_PROSE for place in prose)
    if spare < over:
        return None
    for place in prose:
        # The longest gives most; what is lost by rounding up is not missed.
        widths[place] -= -(-over * (widths[place] - LEAST_PROSE) // spare)
    return widths


def _row(columns: Sequence[Column], row: Sequence[Text], widths: Sequence[int]) -> Iterator[Text]:
    parts = [
        _wrapped(cell, width) if column.prose and cell.cell_len > width else [cell]
        for column, cell, width in zip(columns, row, widths, strict=True)
    ]
    for number in range(max(map(len, parts))):
        yield _line(columns, [part[number] if number < len(part) else Text() for part in parts], widths)


def _line(columns: Sequence[Column], cells: Sequence[Text], widths: Sequence[int]) -> Text:
    line, behind = Text(), 0
    for column, cell, width in zip(columns, cells, widths, strict=True):
        if cell.plain:
            before = width - cell.cell_len if column.right else 0
            line.append(" " * (behind + max(0, before)))
            line.append_text(cell)
            behind = GAP + (0 if column.right else max(0, width - cell.cell_len))
        else:
            behind += width + GAP
    return line


def _block(columns: Sequence[Column], row: Sequence[Text], width: int) -> Iterator[Text]:
    """A row as lines, the first of which is what it is called by."""
    yield row[0]
    line = Text()
    for column, cell in zip(columns[1:], row[1:], strict=True):
        pair = Text.assemble((f"{column.heading}: ", "dim"), cell)
        if not cell.plain:
            continue
        if line.plain and (column.prose or INDENT + line.cell_len + INDENT + pair.cell_len > width):
            yield _indented(line)
            line = Text()
        if column.prose:
            first, *others = _wrapped(pair, max(LEAST_PROSE, width - INDENT))
            first.stylize("dim", 0, len(column.heading) + 1)
            yield from map(_indented, (first, *others))
        else:
            line = line.append(" " * INDENT).append_text(pair) if line.plain else pair
    if line.plain:
        yield _indented(line)


def _indented(line: Text) -> Text:
    return Text(" " * INDENT).append_text(line)


def _wrapped(sentence: Text, width: int) -> list[Text]:
    """Between words only: one that is longer than a line stands as it is."""
    lines = textwrap.wrap(sentence.plain, width, break_long_words=False, break_on_hyphens=False)
    return [Text(line, sentence.style) for line in lines]
