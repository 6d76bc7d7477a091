"""The samples of one metric of one trial, as arrays. Gaps are kept as facts, never bridged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.model import MetricSpec

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """One metric over one trial.

    t: seconds since the trial began, shape (n,), strictly increasing.
    values: shape (n,), in the metric's unit, no NaN.
    steps: the worker's step count at each sample, shape (n,), or None where no step is known.
    gaps: number of stretches where samples that were due are missing.
    """

    metric: MetricSpec
    label: str
    t: Floats
    values: Floats
    steps: Floats | None = None
    gaps: int = 0

    @property
    def name(self) -> str:
        """`metric` or `metric{label}`."""
        return f"{self.metric.name}{{{self.label}}}" if self.label else self.metric.name


def from_rounds(
    metric: MetricSpec,
    label: str,
    t: Floats,
    values: Floats,
    steps: Floats | None = None,
    interval: float | None = None,
) -> Series:
    """Make a series of raw rounds: NaN rows dropped, time made strictly increasing, gaps counted.

    A gap is a wait of more than 2.5 intervals; without an `interval` the median spacing of the known values serves.
    `steps` holds NaN in rounds without a new beat: between two beats it is interpolated, before the first it is 0.
    """
    known = np.isfinite(values) & np.isfinite(t)
    order = np.flatnonzero(known)
    times, amounts = t[order], values[order]
    if len(times) > 1:
        later = np.concatenate(([True], times[1:] > np.maximum.accumulate(times)[:-1]))
        order, times, amounts = order[later], times[later], amounts[later]
    done = None if steps is None or not np.isfinite(steps).any() else _count_steps(t, steps)[order]
    return Series(metric, label, times, amounts, done, _count_gaps(times, interval))


def _count_steps(t: Floats, steps: Floats) -> Floats:
    known = np.isfinite(steps) & np.isfinite(t)
    return np.interp(t, t[known], steps[known], left=0.0)


def _count_gaps(t: Floats, interval: float | None) -> int:
    if len(t) < 3:
        return 0
    waits = np.diff(t)
    expected = interval if interval else float(np.median(waits))
    return int(np.count_nonzero(waits > 2.5 * expected))
