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
from soak.traces import times
from soak.traces.cells import mostly_numbers, numbers
from soak.traces.columns import Trace, check_names, is_step, listed, metric_of, second_clocks
from soak.traces.reading import TraceBuilder

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
    """Read a source; memory is bounded by its batches.

    Raises:
        UsageError: it is damaged, or has no column of times.
    """
    time, clocks, asked = _asked(source)
    first = _peek(source, time, asked)
    with damage(source.name, source.what):
        chosen = [i for i in asked if _is_judged(source.names[i], first[i])]
        seconds = _seconds(source, time, first[time])
    if all(is_step(source.names[i]) for i in chosen):
        raise UsageError(
            f"{source.name}: no column but the time holds numbers; expected at least one, such as rss_bytes"
        )
    reading = TraceBuilder(
        source.name, [source.names[i] or f"column {i + 1}" for i in chosen], _set_aside(source, time, clocks, chosen)
    )
    for columns in source.batches([time, *chosen]):
        with damage(source.name, source.what):
            values = [_numbers(columns[i]) for i in chosen]
            t = seconds(columns[time])
        reading.add(t, values)
    return reading.trace()


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


def _asked(source: ColumnSource) -> tuple[int, set[int], list[int]]:
    """The column of times, by its name or as the only one of timestamps; others of times; those that may be judged."""
    named = [i for i, name in enumerate(source.names) if times.is_time(name)]
    stamps = [i for i, kind in enumerate(source.types) if kinds.is_timestamp(kind)]
    if not named and len(stamps) != 1:
        raise UsageError(f"{source.name}: no column is the time; expected one of {', '.join(times.NAMES[:3])}, …")
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
    texts = [time, *(i for i in asked if _is_text(source.types[i]))]
    for columns in source.batches(texts):
        return dict.fromkeys(asked) | {i: column[:FEWEST_ROWS] for i, column in columns.items()}
    return dict.fromkeys([time, *asked])


def _is_judged(name: str, first: Any) -> bool:
    return first is None or metric_of(name).layer is not None or mostly_numbers(_texts(first))


def _plain(kind: Any) -> Any:
    """The type of the values, whatever holds them."""
    while kinds.is_dictionary(kind) or kinds.is_run_end_encoded(kind):
        kind = kind.value_type
    return kind


def _is_text(kind: Any) -> bool:
    plain = _plain(kind)
    texts = (kinds.is_string, kinds.is_large_string, kinds.is_string_view, kinds.is_binary, kinds.is_large_binary,
             kinds.is_binary_view, kinds.is_fixed_size_binary)  # fmt: skip
    return any(is_text(plain) for is_text in texts)


def _may_hold_numbers(name: str, kind: Any) -> bool:
    plain = _plain(kind)
    if kinds.is_integer(plain) or kinds.is_floating(plain) or kinds.is_decimal(plain) or _is_text(kind):
        return True
    return metric_of(name).layer is not None and (kinds.is_null(plain) or kinds.is_boolean(plain))


def _unpacked(column: Any) -> Any:
    """A column of plain values."""
    while kinds.is_dictionary(column.type):
        column = column.dictionary_decode()
    if kinds.is_run_end_encoded(column.type):
        column = pa.compute.run_end_decode(column)
    return column


def _texts(column: Any) -> list[str]:
    cells = _unpacked(column).to_pylist()
    return [
        "" if cell is None else cell.decode("utf-8", "backslashreplace") if isinstance(cell, bytes) else cell
        for cell in cells
    ]


def _numbers(column: Any) -> Floats:
    """The numbers of a column: NaN where there is none, infinite where something else stands."""
    plain = _unpacked(column)
    if _is_text(plain.type):
        return numbers(_texts(plain))
    if kinds.is_null(plain.type):
        return np.full(len(plain), np.nan)
    if kinds.is_boolean(plain.type):
        plain = plain.cast(pa.uint8())
    return _floats(plain)


def _floats(column: Any) -> Floats:
    floats = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(floats, dtype=np.float64)


def _ticks(column: Any, kind: Any) -> Floats:
    return _floats(_unpacked(column).cast(kind))


def _seconds(source: ColumnSource, time: int, first: Any) -> Convert:
    """How the column of times becomes seconds."""
    kind = source.types[time]
    plain = _plain(kind)
    if kinds.is_timestamp(plain) or kinds.is_duration(plain) or kinds.is_time(plain):
        factor, whole = _TICKS[plain.unit], pa.int32() if kinds.is_time32(plain) else pa.int64()
        return lambda column: _ticks(column, whole) / factor
    if kinds.is_date32(plain):
        return lambda column: _ticks(column, pa.int32()) * _DAY
    if kinds.is_date64(plain):
        return lambda column: _ticks(column, pa.int64()) / 1e3
    if _is_text(kind) and first is not None and times.are_texts(_texts(first)):
        return lambda column: times.of_texts(_texts(column))
    if not (kinds.is_integer(plain) or kinds.is_floating(plain) or kinds.is_decimal(plain) or _is_text(kind)):
        raise UsageError(
            f"{source.name}: column {one_line(repr(source.names[time]), 80)} is of the type {one_line(kind, 80)}; "
            "expected times: numbers, timestamps, dates or text"
        )
    unit = 1.0 if first is None else times.unit_of(_numbers(first))
    return lambda column: _numbers(column) / unit
