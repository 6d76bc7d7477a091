"""What the columns of a foreign trace mean, by their names, and their samples made small while they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from monitors.condense import Condenser
from monitors.model import LAYERS, MetricSpec, Unit
from monitors.series import Floats, Series

TIMES = ("t", "time", "timestamp", "ts", "seconds", "datetime", "date", "currenttime", "current_time")
STEPS = ("step", "steps")
_LAYERS = {
    "heap_inuse_bytes": "host_heap",
    "heap_free_bytes": "heap_held",
    "mmap_bytes": "mmap",
    "num_fds": "fds",
    "num_threads": "threads",
    "num_children": "children",
    "py_objects": "python_objects",
    "num_objects": "python_objects",
}
_CELLS = 2_000_000
"""Cells read before they are made small: bounds the memory, however many columns there are."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One source, judged as one trial."""

    source: str
    series: Sequence[Series]
    notes: Sequence[str] = ()
    """What was left out and why."""


def metric_of(column: str) -> MetricSpec:
    """The metric that a column's name speaks of."""
    name = column.strip()
    stem = name.removesuffix("_bytes")
    layer = _LAYERS.get(name)
    unit: Unit = "value"
    if name.endswith("_bytes"):
        unit, layer = "bytes", layer or (stem if stem in LAYERS else "anonymous")
    elif layer or name.startswith("num_") or name in LAYERS:
        unit, layer = "count", layer or (name if name in LAYERS else None)
    return MetricSpec(name, unit, f"Column {name}", layer, judged=True)


@dataclass
class Reading:
    """Takes the rows of one source in chunks; holds each column condensed. Memory is bounded."""

    source: str
    columns: Sequence[str]
    """Names of the numeric columns, the time not among them."""
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._steps = next((i for i, name in enumerate(self.columns) if name.strip().lower() in STEPS), None)
        self._condensers = [Condenser() for _ in self.columns]
        self._waiting: list[tuple[Floats, Sequence[Floats]]] = []
        self._cells = 0
        self._origin: float | None = None
        self._end = -np.inf

    def add(self, t: Floats, columns: Sequence[Floats]) -> None:
        """Take rows. t: seconds, shape (n,). columns: one of shape (n,) for each name."""
        self._waiting.append((t, columns))
        self._cells += len(t) * (len(columns) + 1)
        if self._cells > _CELLS:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        t = np.concatenate([t for t, _ in self._waiting])
        if self._origin is None and np.isfinite(t).any():
            self._origin = float(t[np.isfinite(t)][0])
        t = t - (self._origin or 0.0)
        self._end = max(self._end, float(t[np.isfinite(t)].max(initial=-np.inf)))
        values = [np.concatenate([columns[i] for _, columns in self._waiting]) for i in range(len(self.columns))]
        self._waiting, self._cells = [], 0
        steps = None if self._steps is None else values[self._steps]
        for i, condenser in enumerate(self._condensers):
            if i != self._steps:
                condenser.add(t, values[i], steps)

    def trace(self) -> Trace:
        """What was read. Each column is held against the last row that has a time."""
        self._flush()
        series = [
            _counting(condenser.series(metric_of(name))).until(self._end)
            for i, (name, condenser) in enumerate(zip(self.columns, self._condensers, strict=True))
            if i != self._steps
        ]
        dropped = max((c.dropped for i, c in enumerate(self._condensers) if i != self._steps), default=0)
        if dropped:
            self.notes.append(f"{dropped} samples left out: no number, or no later than the one before")
        return Trace(self.source, series, tuple(self.notes))


def _counting(series: Series) -> Series:
    """A column of steps in which none is ever counted says nothing of a start-up."""
    return series if series.steps is None or (series.steps > 0).any() else replace(series, steps=None)


def seconds_of(t: Floats) -> Floats:
    """Times in seconds, of seconds, or of milli-, micro- or nanoseconds since 1970, told by their size."""
    finite = t[np.isfinite(t)]
    largest = float(np.abs(finite).max()) if len(finite) else 0.0
    for factor, from_ in ((1e9, 1e17), (1e6, 1e14), (1e3, 1e11)):
        if largest >= from_:
            return np.asarray(t / factor)
    return t


def is_time(name: str) -> bool:
    """Whether a column's name says that it is the time."""
    return name.strip().strip("\ufeff").lower() in TIMES


def chunks(rows: int, size: int = 65536) -> Iterator[slice]:
    """Slices that cover so many rows."""
    for start in range(0, rows, size):
        yield slice(start, start + size)
