"""The samples of a trace, made small while they are read, and what of them was lost, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from monitors.detection.condense import CAPACITY, Condenser
from monitors.detection.series import Floats, Series
from monitors.model import MetricSpec
from soak.traces.columns import Trace, is_step, listed
from soak.traces.holdings import is_held_while_alive, metric_of
from soak.traces.times import LATEST

_CELLS = 2_000_000
"""Cells read before they are made small: bounds the memory, however many columns there are."""
_STRETCHES = 4_000_000
"""Stretches kept of all columns together, at least `_FEWEST` of each: bounds the memory too."""
_FEWEST = 512
LARGEST = 1e100
"""What is so large is no amount of anything, and its square no number."""


@dataclass
class TraceBuilder:
    """Takes the rows of one source in chunks; holds each column condensed. Memory is bounded.

    A cell that is empty is NaN, one that holds no finite number is infinite: the first is the recorder's word, the
    second is lost, as is every row whose time cannot be read or is no later than that of a row before.
    """

    source: str
    columns: Sequence[str]
    """Names of the numeric columns, the time not among them."""
    notes: list[str] = field(default_factory=list)
    metrics: Sequence[MetricSpec] = ()
    """What they are of; by their names where none are given."""
    steps: int | None = None
    """The column of them that counts steps, though its name does not say so."""
    taken: int = 0
    """Rows so far, but for those that could not be read at all."""

    def __post_init__(self) -> None:
        self.metrics = self.metrics or [metric_of(name) for name in self.columns]
        room = min(CAPACITY, max(_FEWEST, _STRETCHES // max(len(self.columns), 1)))
        self._amounts = [metric.layer is not None for metric in self.metrics]
        self._alive = [False if is_held_while_alive(name) else None for name in self.columns]
        """Whether more than nothing was held before; None where that says nothing."""
        named = next((i for i, name in enumerate(self.columns) if is_step(name)), None)
        self._steps = named if self.steps is None else self.steps
        self._condensers = [Condenser(room) for _ in self.columns]
        self._waiting: list[tuple[Floats, Sequence[Floats]]] = []
        self._cells = 0
        self._origin: float | None = None
        self._last = -np.inf
        self._rows = 0
        self._lost: Counter[str] = Counter()
        self._broken = [0] * len(self.columns)
        self._empty = [0] * len(self.columns)

    def add(self, t: Floats, columns: Sequence[Floats]) -> None:
        """Take rows. t: seconds, shape (n,). columns: one of shape (n,) for each name."""
        self.taken += len(t)
        self._waiting.append((t, columns))
        self._cells += len(t) * (len(columns) + 1)
        if self._cells > _CELLS:
            self._flush()

    def lose(self, rows: int, why: str) -> None:
        """Count rows that could not be read at all."""
        if rows:
            self._rows += rows
            self._lost[why] += rows

    def _flush(self) -> None:
        if not self._waiting:
            return
        t = np.concatenate([t for t, _ in self._waiting])
        values = [np.concatenate([columns[i] for _, columns in self._waiting]) for i in range(len(self.columns))]
        self._waiting, self._cells = [], 0
        kept = self._in_order(t)
        if not len(kept):
            return
        whole = len(kept) == len(t)
        t = t if whole else t[kept]
        if self._origin is None:
            self._origin = float(t[0])
        self._last = float(t[-1])
        t = t - self._origin
        columns = [self._known(i, column if whole else column[kept]) for i, column in enumerate(values)]
        steps = None if self._steps is None else columns[self._steps]
        for i, condenser in enumerate(self._condensers):
            if i != self._steps:
                condenser.add(t, columns[i], steps)

    def _in_order(self, t: Floats) -> npt.NDArray[np.intp]:
        """Which rows have a time, later than that of all rows before them; the others are counted."""
        self._rows += len(t)
        with np.errstate(invalid="ignore"):
            timed = np.flatnonzero(np.abs(t) <= LATEST)
        self._lost["their time cannot be read"] += len(t) - len(timed)
        kept = timed[rising(t[timed], self._last)]
        self._lost["their time is not later than that of an earlier row"] += len(timed) - len(kept)
        return kept

    def _known(self, column: int, values: Floats) -> Floats:
        """With NaN for what is no number, counted."""
        self._clear_stand_ins(column, values)
        if not len(values) or (float(np.min(values)) > -LARGEST and float(np.max(values)) < LARGEST):
            return values
        empty = int(np.count_nonzero(np.isnan(values)))
        broken = np.flatnonzero(np.abs(values) >= LARGEST)
        self._empty[column] += empty
        self._broken[column] += len(broken)
        values[broken] = np.nan
        return values

    def _clear_stand_ins(self, column: int, values: Floats) -> None:
        """With NaN for numbers by which a recorder says that it saw nothing."""
        if self._amounts[column]:
            values[values == -1.0] = np.nan
        before = self._alive[column]
        if before is not None and len(values):
            alive = np.maximum.accumulate(values > 0.0) | before
            values[alive & (values == 0.0)] = np.nan
            self._alive[column] = bool(alive[-1])

    def trace(self) -> Trace:
        """What was read. Each column is held against the first row, and the last that has a time."""
        self._flush()
        end = self._last - (self._origin or 0.0)
        series = {
            i: _counting(condenser.series(metric)).since(0.0).until(end)
            for i, (metric, condenser) in enumerate(zip(self.metrics, self._condensers, strict=True))
            if i != self._steps
        }
        gone = sum(self._lost.values())
        lost = {one.name: (gone + self._broken[i]) / self._rows for i, one in series.items() if self._rows}
        return Trace(self.source, list(series.values()), (*self.notes, *self._told()), lost)

    def _told(self) -> list[str]:
        rows = [f"{count:,} of {self._rows:,} rows left out: {why}" for why, count in self._lost.most_common() if count]
        return [*rows, *self._cells_told(self._broken, "no finite number"), *self._cells_told(self._empty, "no value")]

    def _cells_told(self, counts: Sequence[int], what: str) -> list[str]:
        names = [name for name, count in zip(self.columns, counts, strict=True) if count]
        if not names:
            return []
        up_to = "" if len(names) == 1 else "up to "
        return [f"{up_to}{max(counts):,} samples left out of {listed(names)}: {what}"]


def _counting(series: Series) -> Series:
    """A column of steps in which none is ever counted says nothing of a start-up."""
    return series if series.steps is None or (series.steps > 0).any() else replace(series, steps=None)


def rising(t: Floats, last: float) -> npt.NDArray[np.intp]:
    """Which of some times come later than all before them, without any that leaps ahead of those that go on."""
    if len(t) and t[0] > last and (np.diff(t) > 0).all():
        return np.arange(len(t))
    before = np.concatenate(([last], t[:-2])) if len(t) > 1 else t[:0]
    leaps = np.append((t[:-1] > t[1:]) & (t[1:] > before), False) if len(t) else np.zeros(0, dtype=bool)
    calm = np.flatnonzero(~leaps)
    latest = np.maximum.accumulate(np.concatenate(([last], t[calm])))
    return calm[t[calm] > latest[:-1]]
