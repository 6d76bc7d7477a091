"""JSON of strangers: read whole, or refused in one line; objects within objects as columns with dots."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from monitors.text import one_line
from soak.errors import UsageError
from soak.traces.seen import Row
from soak.traces.source import TraceSource

_DEEPEST = 4
_MOST = 2_000
"""Columns of objects."""
_PEEKED = 200
"""Objects whose keys are columns."""


def load(source: TraceSource) -> Any:
    """The value of a source.

    Raises:
        UsageError: it is not valid JSON.
    """
    body = source.whole()
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno:,}: " if isinstance(error, json.JSONDecodeError) else ""
        raise UsageError(f"{source.name}: {where}not valid JSON: {one_line(error, 120)}") from error


def flat(value: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every plain value of an object, as text, by its path."""
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping) and depth < _DEEPEST:
            yield from flat(item, f"{name}.", depth + 1)
        elif item is None:
            yield name, ""
        elif isinstance(item, bool):
            yield name, str(item).lower()
        elif isinstance(item, int | float | str):
            yield name, str(item)


def columns(objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """The columns of objects, by the first of them."""
    found: dict[str, None] = {}
    for one, _ in zip(objects, range(_PEEKED), strict=False):
        found.update(dict.fromkeys(name for name, _ in flat(one)))
    return list(found)[:_MOST]


def row(value: Mapping[str, Any], header: Sequence[str], line: int) -> Row:
    """An object as a row."""
    cells = dict(flat(value))
    return line, [cells.get(name, "") for name in header]
