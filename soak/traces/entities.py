"""Columns that tell apart the processes, containers or devices of which a table has rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from monitors.detection.series import Floats
from monitors.text import one_line
from soak.errors import UsageError
from soak.traces import cells, times, units
from soak.traces.columns import listed
from soak.traces.holdings import metric_of
from soak.traces.request import matches
from soak.traces.seen import is_nameless

if TYPE_CHECKING:
    from soak.traces.seen import TableHead

_NAMES = frozenset((
    "pid", "name", "container", "containerid", "id", "pod", "namespace", "gpu", "index", "uuid", "bus", "device",
    "host", "hostname", "node", "instance", "job", "process", "command", "cmd", "comm", "service", "worker", "rank",
    "replica",
    "machine", "app", "task", "program", "image", "deployment", "cluster", "shard", "server", "vm", "label", "model",
    "entity", "tgid", "idx", "cgroup", "unit",
))  # fmt: skip
_BESIDE = frozenset(("id", "name", "no", "number", "pci", "compute", "instance", "ordinal", "serial", "k", "s", "io",
                     "kubernetes", "docker", "short"))  # fmt: skip
_SERIES = frozenset(("series", "metric", "_field", "field", "measurement", "_measurement", "metric_name", "counter",
                     "metric name", "counter name", "counter_name"))  # fmt: skip
_PERHAPS = frozenset(("name", "key"))
"""Names of columns that name series where some of their cells are names of memory."""
_VALUES = frozenset(("value", "_value", "values", "reading", "mean/increment"))
_MOST = 64
"""Numbers that may tell entities apart, where their names could mean an amount too."""


def found(seen: TableHead, taken: set[int], t: Floats | None, asked: Sequence[str] | None) -> list[int]:
    """Columns that tell entities apart. t: the times of the rows, where there are any.

    Raises:
        UsageError: one that is asked for does not exist.
    """
    if asked is not None:
        return [_place(seen, name) for name in asked]
    known = [
        i
        for i, name in enumerate(seen.header)
        if i not in taken and (is_named(name) or _is_name(seen, i)) and _tells(seen, i, t)
    ]
    whole = [row for _, row in seen.rows if len(row) > max(known, default=0)]
    every = {tuple(row[i].strip() for i in known) for row in whole}
    if len(every) > 1 and not _side_by_side(seen, known, t):
        return []
    return known


def _place(seen: TableHead, name: str) -> int:
    place = next((i for i, each in enumerate(seen.header) if matches(each, name)), None)
    if place is None:
        raise UsageError(
            f"{seen.source}: --group-by {one_line(name, 60)}: no such column; expected one of {listed(seen.header, 12)}"
        )
    return place


def names_of_series(seen: TableHead, taken: set[int]) -> int | None:
    """The column that names what the one column of values holds; None where every column has its own name."""
    free = [i for i in range(len(seen.header)) if i not in taken]
    named = [i for i in free if _names_series(seen, i)]
    values = [i for i in free if is_value(seen.header[i])]
    return named[0] if named and len(values) == 1 else None


def _names_series(seen: TableHead, column: int) -> bool:
    name, texts = seen.header[column].strip().lower(), seen.cells(column)
    if name in _PERHAPS:
        metrics = [metric_of(text) for text in set(texts)]
        return len(metrics) > 1 and any(metric.layer and metric.judged for metric in metrics)
    return name in _SERIES and not _numeric(texts)


def is_value(name: str) -> bool:
    """Whether a column's name says that it has the values of what another one names."""
    return name.strip().lower() in _VALUES


def is_named(name: str) -> bool:
    """Whether a column's name is one of those that tell entities apart."""
    said = set(times.words(name))
    return bool(said & _NAMES) and said <= _NAMES | _BESIDE


def _has_units(seen: TableHead, column: int) -> bool:
    """Whether a column has the units of another one."""
    texts = {text.strip().lower() for text in seen.cells(column)} - {""}
    return bool(texts) and texts <= {*units.SIZES, units.PERCENT}


def _is_name(seen: TableHead, column: int) -> bool:
    """Whether a column of a table without a header holds names, and neither numbers nor amounts."""
    texts = seen.cells(column)
    return (
        not seen.headed and is_nameless(seen.header[column]) and not _numeric(texts) and cells.writing_of(texts).plain
    )


def _numeric(texts: Sequence[str]) -> bool:
    return cells.mostly_numbers(texts)


def _tells(seen: TableHead, column: int, t: Floats | None) -> bool:
    """Whether the cells of a column are names, or numbers that come again and again."""
    texts = [cell.strip() for cell in seen.cells(column)]
    counted = Counter(texts)
    if not texts or all(text.lower() in cells.EMPTY for text in texts):
        return False
    times_differ = t is None or len(np.unique(t[np.isfinite(t)])) > len(t) // 2
    if len(counted) == len(texts) > 1 and times_differ:
        return False
    said = set(times.words(seen.header[column]))
    if not _numeric(texts) or said <= {"pid", "tgid", "process", "id"}:
        return True
    values = cells.numbers(texts)
    whole = bool(np.isfinite(values).all() and (values == np.floor(values)).all() and (values >= 0).all())
    return whole and len(counted) <= _MOST and max(counted.values()) <= 2 * min(counted.values()) + 1


def _side_by_side(seen: TableHead, known: Sequence[int], t: Floats | None) -> bool:
    """Whether entities have rows at the same time, or by turns; one after the other is one that was started anew."""
    ended: set[tuple[str, ...]] = set()
    before: tuple[str, ...] | None = None
    for place, (_, row) in enumerate(seen.rows):
        if len(row) <= max(known):
            continue
        key = tuple(row[i].strip() for i in known)
        if before is not None and key != before:
            ended.add(before)
            if key in ended or (t is not None and not t[place] > t[place - 1]):
                return True
        before = key
    return False
