"""JSON with a table: an array of objects, or an object of arrays, such as pandas and scripts write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from soak.errors import UsageError
from soak.traces import json_text, textual
from soak.traces.columns import Trace
from soak.traces.formats import grafana, json_lines, prometheus_answer
from soak.traces.request import TraceRequest
from soak.traces.seen import Row
from soak.traces.source import Beginning, TraceSource

EXAMPLE = '[{"t": 0, "rss_bytes": 512000000},\n {"t": 10, "rss_bytes": 512400000}]'
_EXPECTED = "an array of objects, such as [{t: 0, rss_bytes: 5}], or an object of arrays"
_SUMMARIES = ("total_num_allocations", "total_bytes_allocated", "top_locations_by_size")
"""Keys of what memray prints of a whole run."""
_ROWS = ("samples", "data", "rows", "records", "results", "measurements", "values", "memory_records", "items", "stats",
         "history", "points", "metrics", "Datapoints")  # fmt: skip
"""Keys under which the rows of an object may be."""


def sniff(begins: Beginning) -> bool:
    """Whether it is JSON, and no other format's."""
    others = (grafana, prometheus_answer, json_lines)
    return begins.text[:1] in ("[", "{") and _is_json(begins.text) and not any(each.sniff(begins) for each in others)


def _is_json(text: str) -> bool:
    return text[1:].lstrip()[:1] in ('"', "{", "[", "}", "]")


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """Its traces, one for each entity.

    Raises:
        UsageError: it holds no table.
    """
    value = json_text.load(source)
    header, every = _table(source, value)

    def rows() -> Iterator[Row]:
        return iter(every)

    return textual.read(textual.TextRows(source.name, header, rows), request)


def _table(source: TraceSource, value: Any) -> tuple[list[str], Sequence[Row]]:
    if isinstance(value, Mapping):
        if any(key in value for key in _SUMMARIES):
            raise UsageError(
                f"{source.name}: memray's summary of a whole run, which has no times; expected samples over time, such "
                "as its memory_records"
            )
        if found := _of_arrays(value):
            return found
        inner = next((value[key] for key in _ROWS if isinstance(value.get(key), list | dict)), None)
        if inner is not None:
            names = value.get("columns")
            return _rows(source, inner, names) if isinstance(inner, list) else _table(source, inner)
    if isinstance(value, list):
        return _rows(source, value, None)
    raise UsageError(f"{source.name}: JSON without a table; expected {_EXPECTED}")


def _of_arrays(value: Mapping[str, Any]) -> tuple[list[str], Sequence[Row]] | None:
    """Columns as arrays, or as objects by the place of the row, as pandas has them."""
    longest = max((len(item) for item in value.values() if isinstance(item, list | dict)), default=0)
    columns = {
        str(name): list(item.values()) if isinstance(item, dict) else item
        for name, item in value.items()
        if isinstance(item, list | dict) and len(item) == longest and longest > 1
    }
    plain = {
        name: cells
        for name, cells in columns.items()
        if all(cell is None or isinstance(cell, int | float | str) for cell in cells)
    }
    if len(plain) < 2:
        return None
    return list(plain), [(i + 1, [_text(cells[i]) for cells in plain.values()]) for i in range(longest)]


def _rows(source: TraceSource, rows: Sequence[Any], names: Any) -> tuple[list[str], Sequence[Row]]:
    objects = [one for one in rows if isinstance(one, Mapping)]
    if all("Timestamp" in one for one in objects):  # CloudWatch gives its points in any order
        objects = sorted(objects, key=lambda one: str(one["Timestamp"]))
    if objects:
        header = json_text.columns(objects)
        return header, [json_text.row(one, header, i) for i, one in enumerate(objects, 1)]
    arrays = [one for one in rows if isinstance(one, list)]
    if arrays:
        header = _header(arrays, names)
        first = 1 if header == arrays[0] else 0
        return header, [(i, [_text(cell) for cell in one]) for i, one in enumerate(arrays[first:], 1 + first)]
    raise UsageError(f"{source.name}: JSON without a table; expected {_EXPECTED}")


def _header(arrays: Sequence[list[Any]], names: Any) -> list[str]:
    """The names of columns: those that are given, those in the first row, or those of memray's records."""
    width = len(arrays[0])
    if isinstance(names, list) and len(names) == width:
        return list(map(str, names))
    if all(isinstance(cell, str) for cell in arrays[0]):
        return list(arrays[0])
    return ["time", "rss_bytes", "heap_inuse_bytes"][:width] if width <= 3 else [f"column {i}" for i in range(width)]


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)
