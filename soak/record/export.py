"""Records as files that other programs read: Parquet or CSV, in folders named `run=…/trial=…` (Hive's partitions)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import quote

import pyarrow as pa
from pyarrow import csv, parquet

from monitors.text import file_name
from reports.record import RunRecord
from soak.errors import UsageError
from soak.record import arrow

Format = Literal["parquet", "csv"]
FORMATS: tuple[Format, ...] = get_args(Format)
_KINDS = ("samples", "events", "verdicts")
_LONGEST = 200
"""Bytes of a folder's name, where a file system takes 255."""


def check_format(out: Path, form: Format) -> None:
    """See that no file of another format is below `out`, from whatever run: readers take every file of a folder.

    Raises:
        UsageError: there is one.
    """
    for kind in _KINDS:
        for other in FORMATS:
            found = next((out / kind).rglob(f"{kind}.{other}"), None) if other != form else None
            if found is not None:
                expected = f"expected another folder for {form}, as programs read every file below one"
                raise UsageError(f"--out {out}: holds an export as {other} ({found.relative_to(out)}): {expected}")


def write(record: RunRecord, out: Path, form: Format) -> list[Path]:
    """Write samples, events and verdicts of a run below `out`; what an export left there of this run is replaced.

    Raises:
        UsageError: a file cannot be written.
    """
    run = _partition("run", record.run().run_id)
    written = []
    for trial in record.trials():
        if trial.started is not None:
            path = out / "samples" / run / _partition("trial", trial.name) / f"samples.{form}"
            written.append(_file(path, arrow.SAMPLES, form, arrow.batches(record, trial)))
    _remove((out / "samples" / run).glob(f"trial=*/samples.{form}"), written)
    for name, table in (("events", arrow.events(record)), ("verdicts", arrow.verdicts(record))):
        written.append(_file(out / name / run / f"{name}.{form}", table.schema, form, table.to_batches()))
    return written


def _remove(found: Iterable[Path], kept: Sequence[Path]) -> None:
    """Trials that an earlier export of this run had, and the run has not."""
    for path in [path for path in found if path not in kept]:
        try:
            path.unlink()
        except OSError as error:
            raise UsageError(f"{path}: cannot be removed: {error.strerror or error}") from error
        with contextlib.suppress(OSError):  # something else lies beside it
            path.parent.rmdir()


def _partition(key: str, value: str) -> str:
    """Every reader of such folders takes `%xx` back."""
    named = f"{key}={quote(value, safe=' ')}"
    return named if len(named) <= _LONGEST else f"{key}={quote(file_name(value[:100]), safe=' ')[:_LONGEST]}"


def _file(path: Path, schema: pa.Schema, form: Format, batches: Iterator[pa.RecordBatch] | Sequence[Any]) -> Path:
    """Whole, or as it was before."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _writer(new, schema, form) as writer:
            for batch in batches:
                writer.write_batch(batch)
        new.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            new.unlink()
    return path


@contextlib.contextmanager
def _writer(path: Path, schema: pa.Schema, form: Format) -> Iterator[Any]:
    if form == "parquet":
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            yield writer
        return
    plain = pa.schema([(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in schema])
    with csv.CSVWriter(path, plain) as writer:
        yield _Plain(writer, plain)


class _Plain:
    """Writes words as they are: CSV has no dictionaries."""

    def __init__(self, writer: Any, schema: pa.Schema) -> None:
        self._writer, self._schema = writer, schema

    def write_batch(self, batch: pa.RecordBatch) -> None:
        self._writer.write_table(pa.Table.from_batches([batch]).cast(self._schema))
