"""JSON lines: an object a line, such as `docker stats --format json` or a log writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from monitors.text import one_line
from soak.errors import UsageError
from soak.traces import json_text, textual
from soak.traces.columns import Trace
from soak.traces.request import TraceRequest
from soak.traces.seen import Row
from soak.traces.source import Beginning, TraceSource

EXAMPLE = '{"time": "2026-06-29T10:00:00Z", "Name": "web", "MemUsage": "1.95GiB / 15.5GiB", "PIDs": "12"}'
_BROKEN = 0.5


def sniff(begins: Beginning) -> bool:
    """Whether its first line is an object by itself, and another follows."""
    first = begins.lines
    opened = all(line.strip().startswith("{") for line in first[:2])
    return len(first) > 1 and opened and _object(first[0]) is not None


def _object(line: str) -> Mapping[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """Its traces, one for each entity."""
    header = json_text.columns(one for _, one in _objects(source) if one is not None)
    _check(source)

    def rows() -> Iterator[Row]:
        for line, one in _objects(source):
            yield (line, [""]) if one is None else json_text.row(one, header, line)

    return textual.read(textual.TextRows(source.name, header, rows), request)


def _objects(source: TraceSource) -> Iterator[tuple[int, Mapping[str, Any] | None]]:
    return ((line, _object(text)) for line, text in source.lines() if text.strip())


def _check(source: TraceSource) -> None:
    """Most of its lines are objects.

    Raises:
        UsageError: they are not.
    """
    broken, count, first = 0, 0, 0
    for line, one in _objects(source):
        count += 1
        broken += one is None
        first = first or (line if one is None else 0)
    if broken > _BROKEN * count:
        raise UsageError(f"{source.name}: line {first:,}: {one_line('no JSON object', 60)}; expected one on each line")
