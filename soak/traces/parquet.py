"""Parquet: a file as a source of columns, read a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyarrow import parquet
from pyarrow import types as kinds

from soak.traces import arrow
from soak.traces.arrow import FEWEST_ROWS, damage
from soak.traces.columns import Trace, check_names
from soak.traces.request import TraceRequest

_ROWS = 65536
_CELLS = 1_000_000
"""Cells of one batch, at most."""
_BUFFERS = 32 << 20
"""Bytes read ahead, of all columns together, but for the least of each."""
_LEAST_BUFFER = 4096


def read(path: Path) -> Trace:
    """Read a Parquet file; memory is bounded by its pages.

    Raises:
        UsageError: it cannot be read, is damaged, or has no column of times.
    """
    return arrow.read(ParquetTrace(path))


def read_all(path: Path, request: TraceRequest) -> list[Trace]:
    """The same, a trace for each entity."""
    return arrow.read_all(ParquetTrace(path), request)


class ParquetTrace:
    """A Parquet file. Satisfies `arrow.ColumnSource`."""

    what = "Parquet"

    def __init__(self, path: Path) -> None:
        """Read what columns there are.

        Raises:
            UsageError: it cannot be read, or is damaged.
        """
        self.name = str(path)
        with damage(self.name, self.what):
            buffer = max(_LEAST_BUFFER, _BUFFERS // max(parquet.read_metadata(path).num_columns, 1))
            self._file = parquet.ParquetFile(
                path, pre_buffer=False, buffer_size=buffer, page_checksum_verification=True
            )
            self.names: Sequence[str] = self._file.schema_arrow.names
            self.types: Sequence[Any] = self._file.schema_arrow.types
        check_names(self.name, self.names)

    def batches(self, wanted: Sequence[int]) -> Iterator[Mapping[int, Any]]:
        """The wanted columns by their place, in batches."""
        size = min(_ROWS, max(FEWEST_ROWS, _CELLS // len(self.names)))
        order, promised = sorted(wanted), self._file.metadata.num_rows
        # A dot in a name, and columns within columns, look alike to who asks by name.
        plain = not any("." in name or "\0" in name for name in self.names) and not any(
            map(kinds.is_nested, self.types)
        )
        with damage(self.name, self.what):
            names = [self.names[i] for i in order] if plain else None
            batches = self._file.iter_batches(batch_size=size, columns=names, use_threads=False)
        rows = 0
        while True:
            with damage(self.name, self.what):
                batch = next(batches, None)
                if batch is None and rows != promised:
                    raise ValueError(f"{rows:,} rows, where {promised:,} are expected")
                if batch is None:
                    return
                rows, columns = rows + len(batch), batch.columns
                if len(columns) != (len(order) if plain else len(self.names)):
                    raise ValueError("its columns differ from those of its schema")
            yield dict(zip(order, columns, strict=True)) if plain else {i: columns[i] for i in order}
