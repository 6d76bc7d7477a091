"""Parquet: the column whose name is that of a time is the time, every other that holds numbers is a series."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from pyarrow import types as kinds

from monitors.detection.series import Floats
from monitors.text import one_line
from soak.errors import UsageError
from soak.traces import times
from soak.traces.cells import mostly_numbers, numbers
from soak.traces.columns import Trace, check_names, is_step, listed, metric_of, second_clocks
from soak.traces.reading import Reading

_ROWS = 65536
_FEWEST_ROWS = 512
_CELLS = 1_000_000
"""Cells of one batch, at most."""
_BUFFERS = 32 << 20
"""Bytes read ahead, of all columns together, but for the least of each."""
_LEAST_BUFFER = 4096
_TICKS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_DAY = 86400.0

Convert = Callable[[Any], Floats]


def read(path: Path) -> Trace:
    """Read a Parquet file; memory is bounded by its pages.

    Raises:
        UsageError: it cannot be read, is damaged, or has no column of times.
    """
    source = _open(path)
    time, clocks, asked = _asked(source)
    first = _peek(source, time, asked)
    with _damage(path):
        chosen = [i for i in asked if _is_judged(source.names[i], first[i])]
        seconds = _seconds(source, time, first[time])
    if all(is_step(source.names[i]) for i in chosen):
        raise UsageError(f"{path}: no column but the time holds numbers; expected at least one, such as rss_bytes")
    reading = Reading(
        str(path), [source.names[i] or f"column {i + 1}" for i in chosen], _set_aside(source, time, clocks, chosen)
    )
    for columns in _batches(source, [time, *chosen]):
        with _damage(path):
            values = [_numbers(columns[i]) for i in chosen]
            t = seconds(columns[time])
        reading.add(t, values)
    return reading.trace()


@dataclass(frozen=True, slots=True)
class _Source:
    """A file, and the names and types of its columns."""

    path: Path
    file: parquet.ParquetFile
    names: Sequence[str]
    types: Sequence[Any]


def _open(path: Path) -> _Source:
    with _damage(path):
        buffer = max(_LEAST_BUFFER, _BUFFERS // max(parquet.read_metadata(path).num_columns, 1))
        file = parquet.ParquetFile(path, pre_buffer=False, buffer_size=buffer, page_checksum_verification=True)
        source = _Source(path, file, file.schema_arrow.names, file.schema_arrow.types)
    check_names(str(path), source.names)
    return source


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # a library on damaged bytes: it may raise anything
        said = one_line(error, 200) or type(error).__name__
        raise UsageError(f"{path}: damaged, or cannot be read as Parquet: {said}") from error


def _asked(source: _Source) -> tuple[int, set[int], list[int]]:
    """The column of times, by its name or as the only one of timestamps; others of times; those that may be judged."""
    named = [i for i, name in enumerate(source.names) if times.is_time(name)]
    stamps = [i for i, kind in enumerate(source.types) if kinds.is_timestamp(kind)]
    if not named and len(stamps) != 1:
        raise UsageError(f"{source.path}: no column is the time; expected one of {', '.join(times.NAMES[:3])}, …")
    time = (named or stamps)[0]
    clocks = second_clocks(source.names, time)
    fields = enumerate(zip(source.names, source.types, strict=True))
    asked = [i for i, field in fields if i != time and i not in clocks and _may_hold_numbers(*field)]
    return time, clocks, asked


def _set_aside(source: _Source, time: int, clocks: set[int], chosen: Sequence[int]) -> list[str]:
    known = {time, *clocks, *chosen}
    left = [name for i, name in enumerate(source.names) if i not in known]
    notes = [f"columns that hold no numbers: {listed(left)}"] if left else []
    if clocks:
        twins = listed(source.names[i] for i in sorted(clocks))
        notes.append(f"columns that are times or steps too, not judged: {twins}")
    return notes


def _batches(source: _Source, wanted: Sequence[int]) -> Iterator[dict[int, Any]]:
    """The wanted columns by their place, in batches."""
    size = min(_ROWS, max(_FEWEST_ROWS, _CELLS // len(source.names)))
    order, promised = sorted(wanted), source.file.metadata.num_rows
    # A dot in a name, and columns within columns, look alike to who asks by name.
    plain = not any("." in name or "\0" in name for name in source.names) and not any(
        map(kinds.is_nested, source.types)
    )
    with _damage(source.path):
        names = [source.names[i] for i in order] if plain else None
        batches = source.file.iter_batches(batch_size=size, columns=names, use_threads=False)
    rows = 0
    while True:
        with _damage(source.path):
            batch = next(batches, None)
            if batch is None and rows != promised:
                raise ValueError(f"{rows:,} rows, where {promised:,} are expected")
            if batch is None:
                return
            rows, columns = rows + len(batch), batch.columns
            if len(columns) != (len(order) if plain else len(source.names)):
                raise ValueError("its columns differ from those of its schema")
        yield dict(zip(order, columns, strict=True)) if plain else {i: columns[i] for i in order}


def _peek(source: _Source, time: int, asked: Sequence[int]) -> dict[int, Any]:
    """The first rows of the time and of the columns of text, by their place; None for the others."""
    texts = [time, *(i for i in asked if _is_text(source.types[i]))]
    for columns in _batches(source, texts):
        return dict.fromkeys(asked) | {i: column[:_FEWEST_ROWS] for i, column in columns.items()}
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


def _seconds(source: _Source, time: int, first: Any) -> Convert:
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
            f"{source.path}: column {one_line(repr(source.names[time]), 80)} is of the type {one_line(kind, 80)}; "
            "expected times: numbers, timestamps, dates or text"
        )
    unit = 1.0 if first is None else times.unit_of(_numbers(first))
    return lambda column: _numbers(column) / unit
