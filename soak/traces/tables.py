"""CSV (also compressed) and Parquet: the first column is the time, every other numeric column is a series."""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from monitors.series import Floats
from soak.errors import UsageError
from soak.traces.columns import TIMES, Reading, Trace, is_time, seconds_of

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".csv", ".csv.gz", ".parquet")
_PEEKED = 200
"""Rows that decide which columns are numbers."""
_BLOCK = 1 << 20
_EMPTY = ("", "nan", "na", "n/a", "null", "none", "-")


def read(path: Path) -> Trace:
    """Read a trace; bounded memory, however long it is.

    Raises:
        UsageError: there is no such file, it is no table, or its first column is no time.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    return _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)


def _read_csv(path: Path) -> Trace:
    header, rows = _peek(path)
    if not header:
        return Trace(str(path), (), ("the file is empty",))
    _check_header(path, header)
    numeric = [i for i in range(1, len(header)) if _is_numeric(rows, i)]
    if rows and not numeric:
        raise UsageError(f"{path}: no column but the time holds numbers; expected at least one, such as rss_bytes")
    reading = Reading(str(path), [header[i] for i in numeric])
    skipped = [header[i] for i in range(1, len(header)) if i not in numeric]
    if skipped:
        reading.notes.append(f"columns that hold no numbers: {', '.join(skipped)}")
    try:
        _stream_csv(path, header, numeric, reading, times_are_text=not _is_numeric(rows, 0))
    except _MalformedError:
        reading = Reading(str(path), reading.columns, reading.notes)
        _walk_csv(path, numeric, reading)
    return reading.trace()


class _MalformedError(Exception):
    """The fast reader met what it cannot read."""


def _open_text(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", newline="", errors="replace")
    return path.open(newline="", errors="replace")


def _peek(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the first rows."""
    try:
        with _open_text(path) as file:
            reader = csv.reader(line.replace("\0", "") for line in file)
            header = [name.strip().strip("\ufeff") for name in next(reader, [])]
            return header, [row for row, _ in zip(reader, range(_PEEKED), strict=False)]
    except (OSError, EOFError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read as CSV: {error}") from error


def _check_header(path: Path, header: list[str]) -> None:
    if not is_time(header[0]):
        known = ", ".join(TIMES[:3])
        raise UsageError(
            f"{path}: first column {header[0]!r}: expected a header whose first column is the time ({known}, …)"
        )


def _is_numeric(rows: list[list[str]], column: int) -> bool:
    """Whether what stands in a column are numbers, or nothing."""
    cells = [row[column].strip() for row in rows if column < len(row)]
    full = [cell for cell in cells if cell.lower() not in _EMPTY]
    numbers = sum(not math.isnan(_number(cell)) for cell in full)
    return numbers > 0.9 * len(full) or not full


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _stream_csv(path: Path, header: list[str], numeric: list[int], reading: Reading, times_are_text: bool) -> None:
    """The fast way, for files that are as they should be."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [str(i) for i in range(len(header))]
    types = {str(i): pa.float64() for i in numeric} | {"0": pa.string() if times_are_text else pa.float64()}
    try:
        batches = arrow_csv.open_csv(
            path,
            read_options=arrow_csv.ReadOptions(block_size=_BLOCK, column_names=names, skip_rows=1, use_threads=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types, include_columns=["0", *(str(i) for i in numeric)], strings_can_be_null=False,
                null_values=[*_EMPTY, *(word.upper() for word in _EMPTY), "NaN", "None"],
            ),
        )  # fmt: skip
        for batch in batches:
            _take(batch, reading, times_are_text)
    except StopIteration:
        pass
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        if "Empty CSV" not in str(error):
            raise _MalformedError from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error


def _take(batch: pa.RecordBatch, reading: Reading, times_are_text: bool) -> None:
    first, *rest = batch.columns
    t = _times(first.to_pylist()) if times_are_text else seconds_of(_floats(first))
    reading.add(t, [_floats(column) for column in rest])


def _floats(column: Any) -> Floats:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def _times(cells: list[str | None]) -> Floats:
    """ISO 8601 → seconds since 1970; NaN for what is none. Without a zone, UTC is taken."""
    return np.array([_time(cell) for cell in cells])


def _time(cell: str | None) -> float:
    try:
        at = datetime.fromisoformat((cell or "").strip())
    except ValueError:
        return math.nan
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _walk_csv(path: Path, numeric: list[int], reading: Reading, size: int = 8192) -> None:
    """The slow way: cell by cell; what is no number is absent, and so is a line that was cut short."""
    width, cut = max(numeric, default=0) + 1, 0
    for rows in _chunked(path, size):
        whole = [row for row in rows if len(row) >= width]
        cut += len(rows) - len(whole)
        if not whole:
            continue
        numbers = np.array([_number(row[0]) for row in whole])
        t = seconds_of(numbers) if np.isfinite(numbers).any() else _times([row[0] for row in whole])
        reading.add(t, [np.array([_number(row[i]) for row in whole]) for i in numeric])
    reading.notes.append("some cells or lines are broken: what holds no number was left out")
    if cut:
        reading.notes.append(f"{cut} lines left out: too few columns")


def _chunked(path: Path, size: int) -> Iterator[list[list[str]]]:
    with _open_text(path) as file:
        reader = csv.reader(line.replace("\0", "") for line in file)
        next(reader, None)
        rows: list[list[str]] = []
        for row in reader:
            rows.append(row)
            if len(rows) == size:
                yield rows
                rows = []
        yield rows


def _read_parquet(path: Path) -> Trace:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(f"{path}: cannot be read as Parquet: {error}") from error
    fields = list(file.schema_arrow)
    time = next((f for f in fields if is_time(f.name)), None)
    if time is None:
        raise UsageError(f"{path}: no column is the time; expected one of {', '.join(TIMES[:3])}, …")
    numeric = [f.name for f in fields if f is not time and _holds_numbers(f.type)]
    reading = Reading(str(path), numeric)
    convert = _time_of(time.type)
    for batch in file.iter_batches(batch_size=65536, columns=[time.name, *numeric]):
        by_name = dict(zip(batch.schema.names, batch.columns, strict=True))
        reading.add(convert(by_name[time.name]), [_floats(by_name[name].cast(pa.float64())) for name in numeric])
    return reading.trace()


def _holds_numbers(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _time_of(kind: Any) -> Callable[[Any], Floats]:
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return lambda column: _floats(column.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.float64())) / 1e6
    if pa.types.is_string(kind):
        return lambda column: _times(column.to_pylist())
    return lambda column: seconds_of(_floats(column.cast(pa.float64())))
