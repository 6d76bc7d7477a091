"""Long series in bounded memory: stretches of samples are replaced by their median, least and mean as they come.

Nothing a verdict rests on is lost: it looks at a few dozen blocks, of which each still holds dozens of stretches.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from monitors.detection.series import Floats, Hole, Series, find_gaps, longest, usual_wait
from monitors.model import MetricSpec

CAPACITY = 4096
"""Stretches kept at most; with as many samples or fewer, every sample is kept as it is."""

_CHUNK = 65536
_EXPECTED = 512
"""Waits whose median is the interval that is expected."""


class Condenser:
    """Takes the samples of one series in order, in chunks of any size; O(1) a sample, bounded memory.

    Samples whose time or value is not finite are left out, and those that do not come later than the one before.
    Reference for medians of medians as location: Tukey 1978, the ninther.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._length = 1
        # Rows: time, median, least, mean, and steps if there are any.
        self._stretches = np.empty((0, 0))
        # Rows: time, value, and steps if there are any.
        self._open = np.empty((0, 0))
        self._last = -np.inf
        self._waits = np.empty(0)
        self._usual = np.inf
        self._gaps = 0
        self._holes: tuple[Hole, ...] = ()
        self.samples = 0
        self.dropped = 0
        """Samples left out: not finite, duplicated or backward in time."""

    def add(self, t: Floats, values: Floats, steps: Floats | None = None) -> None:
        """Take a chunk. t, values, steps: shape (n,)."""
        for start in range(0, len(t), _CHUNK):
            part = slice(start, start + _CHUNK)
            self._add(t[part], values[part], None if steps is None else steps[part])

    def _add(self, t: Floats, values: Floats, steps: Floats | None) -> None:
        rows = np.stack([t, values]) if steps is None else np.stack([t, values, steps])
        waits = np.diff(t, prepend=self._last)
        if not (np.isfinite(values).all() and (waits > 0).all() and np.isfinite(t[-1])):
            rows = self._ordered(rows)
            self.dropped += len(t) - rows.shape[1]
            if not rows.shape[1]:
                return
        self._count_gaps(rows[0] if np.isneginf(self._last) else np.concatenate(([self._last], rows[0])))
        self.samples += rows.shape[1]
        self._last = float(rows[0, -1])
        self._open = np.concatenate((self._open, rows), axis=1) if self._open.size else rows
        self._close_stretches()

    def _ordered(self, rows: Floats) -> Floats:
        """Without what is not finite, and what does not come later than all before it."""
        kept = rows[:, np.isfinite(rows[0]) & np.isfinite(rows[1])]
        latest = np.maximum.accumulate(np.concatenate(([self._last], kept[0])))
        return kept[:, kept[0] > latest[:-1]]

    def _count_gaps(self, t: Floats) -> None:
        if len(self._waits) < _EXPECTED:
            self._waits = np.concatenate((self._waits, np.diff(t)[:_EXPECTED]))
            self._usual = usual_wait(self._waits)
        gaps, holes = find_gaps(t, self._usual)
        self._gaps += gaps
        self._holes = longest((*self._holes, *holes))

    def _close_stretches(self) -> None:
        count = self._open.shape[1] // self._length
        if count:
            whole = self._open[:, : count * self._length].reshape(len(self._open), count, self._length)
            self._open = self._open[:, count * self._length :]
            closed = _reduced(whole)
            self._stretches = np.concatenate((self._stretches, closed), axis=1) if self._stretches.size else closed
        while self._stretches.shape[1] > self._capacity:
            self._merge()

    def _merge(self) -> None:
        """Neighbours become one; a last one without a neighbour goes back to be filled up, as so many samples."""
        even = self._stretches.shape[1] // 2 * 2
        first, second, rest = self._stretches[:, :even:2], self._stretches[:, 1:even:2], self._stretches[:, even:]
        merged = (first + second) / 2
        merged[2] = np.minimum(first[2], second[2])
        if rest.shape[1]:
            back = np.repeat(rest[[0, 1, 4] if len(rest) == 5 else [0, 1]], self._length, axis=1)
            back[1, 0] = rest[2, 0]  # its least is not lost
            self._open = np.concatenate((back, self._open), axis=1)
        self._stretches = merged
        self._length *= 2

    def series(self, metric: MetricSpec, label: str = "") -> Series:
        """What has come so far."""
        parts = [self._stretches, _reduced(self._open[:, None, :])] if self._open.size else [self._stretches]
        whole = [part for part in parts if part.size]
        stretches = np.concatenate(whole, axis=1) if whole else np.empty((4, 0))
        t, values, floors, means, *steps = stretches
        done = steps[0] if steps and np.isfinite(steps[0]).all() else None
        one = Series(metric, label, t, values, done, self._gaps, holes=self._holes)
        return one if self._length == 1 else replace(one, floors=floors, means=means, samples=self.samples)


def _reduced(whole: Floats) -> Floats:
    """Shape (rows, stretches, samples) → (rows + 2, stretches)."""
    t, values, *steps = whole
    if whole.shape[2] == 1:
        return np.stack([row[:, 0] for row in (t, values, values, values, *steps)])
    median = np.median(values, axis=1)
    return np.stack([t.mean(1), median, values.min(1), values.mean(1), *(row.mean(1) for row in steps)])


def condensed(series: Iterable[Series]) -> list[Series]:
    """Every series made small."""
    out = []
    for one in series:
        if len(one.t) <= CAPACITY:
            out.append(one)
            continue
        condenser = Condenser()
        condenser.add(one.t, one.values, one.steps)
        small = condenser.series(one.metric, one.label)
        doses = {name: np.interp(small.t, one.t, dose) for name, dose in one.doses.items()}
        kept = replace(small, gaps=one.gaps, holes=one.holes, doses=doses)
        out.append(replace(kept, member=one.member, device=one.device, uncleaned=one.uncleaned))
    return out
