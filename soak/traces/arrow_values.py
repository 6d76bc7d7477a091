"""Values of Arrow's columns, whatever their types: numbers, texts, ticks of a clock."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import types as kinds

from monitors.detection.series import Floats
from soak.traces.cells import numbers


def plain_kind(kind: Any) -> Any:
    """The type of the values, whatever holds them."""
    while kinds.is_dictionary(kind) or kinds.is_run_end_encoded(kind):
        kind = kind.value_type
    return kind


def is_text(kind: Any) -> bool:
    """Whether values are text, or bytes that may be."""
    plain = plain_kind(kind)
    texts = (kinds.is_string, kinds.is_large_string, kinds.is_string_view, kinds.is_binary, kinds.is_large_binary,
             kinds.is_binary_view, kinds.is_fixed_size_binary)  # fmt: skip
    return any(is_of(plain) for is_of in texts)


def unpacked(column: Any) -> Any:
    """A column of plain values."""
    while kinds.is_dictionary(column.type):
        column = column.dictionary_decode()
    if kinds.is_run_end_encoded(column.type):
        column = pa.compute.run_end_decode(column)
    return column


def texts_of(column: Any) -> list[str]:
    """The texts of a column; empty where there is none."""
    cells = unpacked(column).to_pylist()
    return [
        "" if cell is None else cell.decode("utf-8", "backslashreplace") if isinstance(cell, bytes) else cell
        for cell in cells
    ]


def numbers_of(column: Any) -> Floats:
    """The numbers of a column: NaN where there is none, infinite where something else stands."""
    plain = unpacked(column)
    if is_text(plain.type):
        return numbers(texts_of(plain))
    if kinds.is_null(plain.type):
        return np.full(len(plain), np.nan)
    if kinds.is_boolean(plain.type):
        plain = plain.cast(pa.uint8())
    return floats_of(plain)


def floats_of(column: Any) -> Floats:
    """The numbers of a column of plain numbers."""
    floats = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(floats, dtype=np.float64)


def ticks_of(column: Any, kind: Any) -> Floats:
    """The ticks of a column of times, as integers of a kind."""
    return floats_of(unpacked(column).cast(kind))
