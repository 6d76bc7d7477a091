"""Long series in bounded memory: stretches of samples are replaced by their median, least and mean as they come.

Nothing a verdict rests on is lost: it looks at a few dozen blocks, of which each still holds dozens of stretches.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from monitors.model import MetricSpec
from monitors.series import Floats, Series

CAPACITY = 4096
"""Stretches kept at most; with as many samples or fewer, every sample is kept as it is."""

_CHUNK = 65536


class Condenser:
    """Takes the samples of one series in order, in chunks of any size; O(1) a sample, bounded memory.

    Samples whose time or value is not finite are left out, and those that do not come later than the one before.
    Reference for medians of medians as location: Tukey 1978, the ninther.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._length = 1
        # Rows: time, median, least, mean, steps (NaN without).
        self._stretches = np.empty((5, 0))
        self._open = np.empty((3, 0))
        self._last = -np.inf
        self._waits = np.empty(0)
        self._gaps = 0
        self.samples = 0
        self.dropped = 0
        """Samples left out: not finite, duplicated or backward in time."""

    def add(self, t: Floats, values: Floats, steps: Floats | None = None) -> None:
        """Take a chunk. t, values, steps: shape (n,)."""
        for start in range(0, len(t), _CHUNK):
            part = slice(start, start + _CHUNK)
            self._add(t[part], values[part], None if steps is None else steps[part])

    def _add(self, t: Floats, values: Floats, steps: Floats | None) -> None:
        rows = np.stack([t, values, np.full(len(t), np.nan) if steps is None else steps])
        kept = rows[:, np.isfinite(t) & np.isfinite(values)]
        if kept.shape[1]:
            latest = np.maximum.accumulate(np.concatenate(([self._last], kept[0])))
            kept = kept[:, kept[0] > latest[:-1]]
        self.dropped += len(t) - kept.shape[1]
        if not kept.shape[1]:
            return
        self._count_gaps(kept[0])
        self.samples += kept.shape[1]
        self._last = float(kept[0, -1])
        self._open = np.concatenate((self._open, kept), axis=1)
        self._close_stretches()

    def _count_gaps(self, t: Floats) -> None:
        waits = np.diff(t) if self._last == -np.inf else np.diff(t, prepend=self._last)
        if len(self._waits) < 64:
            self._waits = np.concatenate((self._waits, waits))[:4096]
        expected = np.median(self._waits) if len(self._waits) else np.inf
        self._gaps += int(np.count_nonzero(waits > 2.5 * expected))

    def _close_stretches(self) -> None:
        count = self._open.shape[1] // self._length
        if count:
            whole = self._open[:, : count * self._length].reshape(3, count, self._length)
            self._open = self._open[:, count * self._length :]
            self._stretches = np.concatenate((self._stretches, _reduced(whole)), axis=1)
        while self._stretches.shape[1] > self._capacity:
            self._merge()

    def _merge(self) -> None:
        """Neighbours become one; a last one without a neighbour goes back to be filled up, as so many samples."""
        even = self._stretches.shape[1] // 2 * 2
        pairs = self._stretches[:, :even].reshape(5, even // 2, 2)
        rest = self._stretches[:, even:]
        merged = np.stack([pairs[0].mean(1), pairs[1].mean(1), pairs[2].min(1), pairs[3].mean(1), pairs[4].mean(1)])
        if rest.shape[1]:
            back = np.repeat(np.stack([rest[0], rest[1], rest[4]]), self._length, axis=1)
            self._open = np.concatenate((back, self._open), axis=1)
        self._stretches = merged
        self._length *= 2

    def series(self, metric: MetricSpec, label: str = "") -> Series:
        """What has come so far."""
        stretches = self._stretches
        if self._open.shape[1]:
            stretches = np.concatenate((stretches, _reduced(self._open[:, None, :])), axis=1)
        t, values, floors, means, steps = stretches
        done = steps if len(steps) and np.isfinite(steps).all() else None
        if self._length == 1:
            return Series(metric, label, t, values, done, self._gaps)
        return Series(metric, label, t, values, done, self._gaps, {}, floors, means, self.samples)


def _reduced(whole: Floats) -> Floats:
    """Shape (3, stretches, samples) → (5, stretches)."""
    t, values, steps = whole
    return np.stack([t.mean(1), np.median(values, axis=1), values.min(1), values.mean(1), steps.mean(1)])


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
        out.append(Series(one.metric, one.label, small.t, small.values, small.steps, one.gaps, doses, small.floors,
                          small.means, small.samples))  # fmt: skip
    return out
