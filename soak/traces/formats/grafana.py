"""JSON of Grafana: data frames of a panel, or of its query inspector."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from soak.errors import UsageError
from soak.traces import json_text, times
from soak.traces.columns import Trace
from soak.traces.labelled import Labelled, traces
from soak.traces.request import TraceRequest
from soak.traces.source import Beginning, TraceSource

EXAMPLE = (
    '[{"schema": {"fields": [{"name": "Time", "type": "time"}, {"name": "rss_bytes", "type": "number"}]},\n'
    '  "data": {"values": [[1782727200000, 1782727210000], [512000000, 512400000]]}}]'
)
_FIELDS = re.compile(r'"fields"\s*:\s*\[')
_VALUES = re.compile(r'"values"\s*:|"datapoints"\s*:')
_POINTS = re.compile(r'"datapoints"\s*:\s*\[')
_BYTES = ("bytes", "decbytes", "kbytes", "deckbytes", "mbytes", "decmbytes", "gbytes", "decgbytes")
_SCALES = {"kbytes": 1024.0, "deckbytes": 1e3, "mbytes": 1024.0**2, "decmbytes": 1e6, "gbytes": 1024.0**3,
           "decgbytes": 1e9}  # fmt: skip


def sniff(begins: Beginning) -> bool:
    """By the fields of a frame, or the points of a target."""
    if begins.text[:1] not in ("{", "["):
        return False
    text = begins.text
    return (_FIELDS.search(text) is not None and _VALUES.search(text) is not None) or _POINTS.search(text) is not None


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """Its traces, one for each entity.

    Raises:
        UsageError: no frame has a field of times and one of numbers.
    """
    value = json_text.load(source)
    every = [one for frame in _frames(value) for one in _series(frame)]
    every += [one for target in _targets(value) for one in _points(target)]
    if not every:
        raise UsageError(f"{source.name}: no frame has a time and numbers; expected what a panel's Inspect, JSON shows")
    return traces(source.name, every, request)


def _inside(value: Any, key: str, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Objects with such a key, however deep."""
    if depth > 8:
        return
    if isinstance(value, Mapping):
        if key in value:
            yield value
        else:
            for item in value.values():
                yield from _inside(item, key, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _inside(item, key, depth + 1)


def _frames(value: Any) -> Iterator[tuple[Sequence[Mapping[str, Any]], Sequence[Sequence[Any]]]]:
    """Fields and their values."""
    for frame in _inside(value, "schema"):
        fields, data = frame["schema"], frame.get("data")
        if isinstance(fields, Mapping) and isinstance(data, Mapping):
            yield _objects(fields.get("fields")), _lists(data.get("values"))
    for frame in _inside(value, "fields"):
        fields = _objects(frame["fields"])
        if fields and all("values" in field for field in fields):
            yield fields, [_buffer(field["values"]) for field in fields]


def _buffer(values: Any) -> Sequence[Any]:
    inner = values.get("buffer", []) if isinstance(values, Mapping) else values
    return inner if isinstance(inner, list) else []


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _lists(value: Any) -> list[Sequence[Any]]:
    return [one for one in value if isinstance(one, list)] if isinstance(value, list) else []


def _series(frame: tuple[Sequence[Mapping[str, Any]], Sequence[Sequence[Any]]]) -> Iterator[Labelled]:
    fields, values = frame
    pairs = list(zip(fields, values, strict=False))
    time = next((cells for field, cells in pairs if field.get("type") == "time"), None)
    time = time or next((cells for field, cells in pairs if times.is_time(str(field.get("name", "")))), None)
    if time is None:
        return
    t = _numbers(time)
    t = t / times.unit_of(t)
    for field, cells in pairs:
        if cells is time or field.get("type") not in (None, "number") or len(cells) != len(t):
            continue
        config = _mapping(field.get("config"))
        unit = str(config.get("unit", "")).lower()
        labels = {str(key): str(value) for key, value in _mapping(field.get("labels")).items() if key != "__name__"}
        name = _mapping(field.get("labels")).get("__name__") or _named(field, config)
        yield Labelled(str(name), labels, t, _numbers(cells) * _SCALES.get(unit, 1.0), unit in _BYTES)


def _named(field: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    shown = config.get("displayNameFromDS") or config.get("displayName")
    name = str(field.get("name") or "value")
    return str(shown) if shown and name.lower() == "value" else name


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _targets(value: Any) -> Iterator[Mapping[str, Any]]:
    """What older data sources give: a target with points, each a value and a time."""
    return _inside(value, "datapoints")


def _points(target: Mapping[str, Any]) -> Iterator[Labelled]:
    pairs = [pair for pair in _lists(target.get("datapoints")) if len(pair) == 2]
    if pairs:
        t = _numbers([pair[1] for pair in pairs])
        yield Labelled(
            str(target.get("target", "value")), {}, t / times.unit_of(t), _numbers([pair[0] for pair in pairs])
        )


def _numbers(cells: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([_number(cell) for cell in cells], dtype=np.float64)


def _number(cell: Any) -> float:
    if cell is None:
        return np.nan
    if isinstance(cell, str) and not np.isnan(at := times.of_iso(cell)):
        return at
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return np.inf
