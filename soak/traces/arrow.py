"""Columns of Arrow: the one whose name is that of a time is the time, every other that holds numbers is a series."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from pyarrow import interchange
from pyarrow import types as kinds

from monitors.detection.series import Floats
from monitors.text import one_line
from soak.errors import UsageError
from soak.traces import cells, entities, times
from soak.traces.arrow_values import is_text, numbers_of, plain_kind, texts_of, ticks_of, unpacked
from soak.traces.columns import Trace, check_names, is_step, listed, metric_of, second_clocks
from soak.traces.groups import Groups
from soak.traces.layout import TraceColumn, column_of
from soak.traces.reading import TraceBuilder
from soak.traces.request import TraceRequest, matches
from soak.traces.seen import TableHead

FEWEST_ROWS = 512
_ROWS = 65536
_TICKS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_DAY = 86400.0

Convert = Callable[[Any], Floats]


class ColumnSource(Protocol):
    """Where columns come from: a file, or a table in memory."""

    name: str
    """As errors call it."""
    what: str
    """What it may turn out not to be, for an error."""
    names: Sequence[str]
    types: Sequence[Any]

    def batches(self, wanted: Sequence[int]) -> Iterator[Mapping[int, Any]]:
        """The wanted columns by their place, in batches."""


def read(source: ColumnSource) -> Trace:
    """Read a source of one entity; memory is bounded by its batches.

    Raises:
        UsageError: it is damaged, or has no column of times.
    """
    (trace,) = read_all(source, TraceRequest(group_by=()))
    return trace


def read_all(source: ColumnSource, request: TraceRequest) -> list[Trace]:
    """Read a source, a trace for each entity.

    Raises:
        UsageError: as `read`.
    """
    time, clocks, asked = _asked(source, request)
    first = _peek(source, time, asked)
    with damage(source.name, source.what):
        seconds = _seconds(source, time, first[time])
        keys = _keys(source, time, clocks, seconds, request)
        columns = [
            column for i in asked if i not in keys and (column := _numeric(source.names[i], i, first[i], request))
        ]
    chosen = [column.place for column in columns]
    if all(is_step(source.names[i]) for i in chosen):
        raise UsageError(
            f"{source.name}: no column but the time holds numbers; expected at least one, such as rss_bytes"
        )
    notes = _set_aside(source, time, clocks, [*chosen, *keys])
    names, metrics = [column.name for column in columns], [column.metric for column in columns]
    groups = Groups(
        source.name, [source.names[i] for i in keys], lambda _: TraceBuilder(source.name, names, list(notes), metrics)
    )
    for batch in source.batches(list(dict.fromkeys([time, *chosen, *keys]))):
        with damage(source.name, source.what):
            values = [_read(column, batch[column.place]) for column in columns]
            t = seconds(batch[time])
            told = [_cells(batch[i]) for i in keys]
        groups.add(t, values, list(zip(*told, strict=True)))
    return groups.traces()


def _keys(source: ColumnSource, time: int, clocks: set[int], seconds: Convert, request: TraceRequest) -> list[int]:
    """Columns that tell entities apart."""
    asked = request.group_by
    if asked is not None:
        every = TableHead(source.name, source.names, ())
        return entities.found(every, {time}, None, asked)
    named = [
        i
        for i, name in enumerate(source.names)
        if i != time and i not in clocks and entities.is_named(name) and _may_name(source.types[i])
    ]
    if not named:
        return []
    for batch in source.batches([time, *named]):
        rows = list(zip(*(_cells(batch[i][:FEWEST_ROWS]) for i in named), strict=True))
        seen = TableHead(source.name, [source.names[i] for i in named], list(enumerate(rows, 1)))
        return [named[i] for i in entities.found(seen, set(), seconds(batch[time][:FEWEST_ROWS]), None)]
    return []


def _may_name(kind: Any) -> bool:
    return is_text(kind) or kinds.is_integer(plain_kind(kind))


def _cells(column: Any) -> list[str]:
    if is_text(column.type):
        return texts_of(column)
    return ["" if cell is None else str(cell) for cell in unpacked(column).to_pylist()]


def _numeric(name: str, place: int, first: Any, request: TraceRequest) -> TraceColumn | None:
    """A column of numbers, or of text that holds some; None where it holds none, and need not by its name."""
    texts = None if first is None else texts_of(first)
    shown = name or f"column {place + 1}"
    writing = cells.PLAIN if texts is None else cells.writing_of(texts)
    if texts is not None and metric_of(name).layer is None and not _mostly(writing, texts):
        return None
    return column_of(place, shown, writing, None, request)


def _mostly(writing: cells.Writing, texts: Sequence[str]) -> bool:
    values = writing.numbers(texts)
    full = values[~np.isnan(values)]
    return not len(full) or 2 * int(np.isfinite(full).sum()) > len(full)


def _read(column: TraceColumn, values: Any) -> Floats:
    if is_text(unpacked(values).type) and not column.writing.plain:
        return column.numbers(texts_of(values))
    return numbers_of(values) * column.scale if column.scale != 1.0 else numbers_of(values)


@contextmanager
def damage(name: str, what: str) -> Iterator[None]:
    """Whatever a library says of damaged bytes, or of types that it does not know, is an error of the source."""
    try:
        yield
    except (UsageError, MemoryError):
        raise  # too little memory says nothing of the source
    except Exception as error:  # it may raise anything
        said = one_line(error, 200) or type(error).__name__
        raise UsageError(f"{name}: damaged, or cannot be read as {what}: {said}") from error


class Table:
    """A table in memory. Satisfies `ColumnSource`."""

    what = "a table"

    def __init__(self, data: Any, name: str) -> None:
        """Take it as Arrow.

        Args:
            data: a `pyarrow.Table`; anything that gives Arrow of itself (`__arrow_c_stream__`, `__dataframe__`), such
                as a DataFrame of pandas or polars; or a mapping of columns. A column of `soak.record.samples` that is
                not judged there is not judged here.
            name: as errors call it.

        Raises:
            UsageError: it is no such thing.
        """
        self.name = name
        whole = _as_arrow(data, name)
        self._table = whole.select([i for i, field in enumerate(whole.schema) if _may_be_judged(field)])
        self.names, self.types = self._table.column_names, self._table.schema.types
        check_names(name, self.names)

    def batches(self, wanted: Sequence[int]) -> Iterator[Mapping[int, Any]]:
        """The wanted columns by their place, in batches."""
        with damage(self.name, self.what):
            chosen = pa.table([self._table.column(i) for i in wanted], names=[str(i) for i in wanted])
            for batch in chosen.to_batches(_ROWS):
                yield dict(zip(wanted, batch.columns, strict=True))


def _may_be_judged(field: Any) -> bool:
    return is_step(field.name) or (field.metadata or {}).get(b"judged") != b"false"


def _as_arrow(data: Any, name: str) -> Any:
    with damage(name, "a table"):
        if isinstance(data, pa.Table):
            return data
        if isinstance(data, pa.RecordBatch):
            return pa.Table.from_batches([data])
        if isinstance(data, Mapping):
            return pa.table({str(key): _column(values) for key, values in data.items()})
        if hasattr(data, "__arrow_c_stream__"):
            return pa.table(data)
        if hasattr(data, "__dataframe__"):
            return interchange.from_dataframe(data)
    expected = "a path, an Arrow table, a DataFrame or a mapping of columns"
    raise UsageError(f"{name}: expected {expected}, not {one_line(type(data).__name__, 80)}")


def _column(values: Any) -> Any:
    """An array, a list, or anything that can be gone through."""
    return values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(np.asarray(values), from_pandas=True)


def _asked(source: ColumnSource, request: TraceRequest) -> tuple[int, set[int], list[int]]:
    """The column of times, by its name or as the only one of timestamps; others of times; those that may be judged."""
    if request.time is not None:
        named = [i for i, name in enumerate(source.names) if matches(name, request.time)]
        if not named:
            raise UsageError(f"{source.name}: --time {one_line(request.time, 60)}: no such column")
    else:
        named = [i for i, name in enumerate(source.names) if times.is_time(name)]
    stamps = [i for i, kind in enumerate(source.types) if kinds.is_timestamp(kind)]
    if not named and len(stamps) != 1:
        raise UsageError(f"{source.name}: no column is the time; expected one of {', '.join(times.NAMES)}, …")
    time = (named or stamps)[0]
    clocks = second_clocks(source.names, time)
    fields = enumerate(zip(source.names, source.types, strict=True))
    asked = [i for i, field in fields if i != time and i not in clocks and _may_hold_numbers(*field)]
    return time, clocks, asked


def _set_aside(source: ColumnSource, time: int, clocks: set[int], chosen: Sequence[int]) -> list[str]:
    known = {time, *clocks, *chosen}
    left = [name for i, name in enumerate(source.names) if i not in known]
    notes = [f"columns that hold no numbers: {listed(left)}"] if left else []
    if clocks:
        twins = listed(source.names[i] for i in sorted(clocks))
        notes.append(f"columns that are times or steps too, not judged: {twins}")
    return notes


def _peek(source: ColumnSource, time: int, asked: Sequence[int]) -> dict[int, Any]:
    """The first rows of the time and of the columns of text, by their place; None for the others."""
    texts = [time, *(i for i in asked if is_text(source.types[i]))]
    for columns in source.batches(texts):
        return dict.fromkeys(asked) | {i: column[:FEWEST_ROWS] for i, column in columns.items()}
    return dict.fromkeys([time, *asked])


def _may_hold_numbers(name: str, kind: Any) -> bool:
    plain = plain_kind(kind)
    if kinds.is_integer(plain) or kinds.is_floating(plain) or kinds.is_decimal(plain) or is_text(kind):
        return True
    return metric_of(name).layer is not None and (kinds.is_null(plain) or kinds.is_boolean(plain))


def _seconds(source: ColumnSource, time: int, first: Any) -> Convert:
    """How the column of times becomes seconds."""
    kind = source.types[time]
    plain = plain_kind(kind)
    if kinds.is_timestamp(plain) or kinds.is_duration(plain) or kinds.is_time(plain):
        factor, whole = _TICKS[plain.unit], pa.int32() if kinds.is_time32(plain) else pa.int64()
        return lambda column: ticks_of(column, whole) / factor
    if kinds.is_date32(plain):
        return lambda column: ticks_of(column, pa.int32()) * _DAY
    if kinds.is_date64(plain):
        return lambda column: ticks_of(column, pa.int64()) / 1e3
    if is_text(kind) and first is not None and times.are_texts(texts_of(first)):
        return lambda column: times.of_texts(texts_of(column))
    if not (kinds.is_integer(plain) or kinds.is_floating(plain) or kinds.is_decimal(plain) or is_text(kind)):
        raise UsageError(
            f"{source.name}: column {one_line(repr(source.names[time]), 80)} is of the type {one_line(kind, 80)}; "
            "expected times: numbers, timestamps, dates or text"
        )
    unit = 1.0 if first is None else times.unit_for(source.names[time], numbers_of(first))
    return lambda column: numbers_of(column) / unit
