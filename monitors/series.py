"""The samples of one metric of one trial, as arrays. Gaps are kept as facts, never bridged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

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
    doses: what was consumed by each sample, besides steps, by name, each of shape (n,).
    floors, means: where a sample stands for several (`monitors.condense`), their least and their mean, shape (n,);
        `values` then holds their medians. None where every sample is one.
    samples: how many samples there were before they were condensed; 0 for as many as there are values.
    """

    metric: MetricSpec
    label: str
    t: Floats
    values: Floats
    steps: Floats | None = None
    gaps: int = 0
    doses: Mapping[str, Floats] = field(default_factory=dict)
    floors: Floats | None = None
    means: Floats | None = None
    samples: int = 0

    @property
    def name(self) -> str:
        """`metric` or `metric{label}`."""
        return f"{self.metric.name}{{{self.label}}}" if self.label else self.metric.name

    @property
    def size(self) -> int:
        """How many samples it was made of."""
        return self.samples or len(self.t)

    def part(self, chosen: slice) -> Series:
        """A stretch of it."""
        return replace(
            self,
            t=self.t[chosen],
            values=self.values[chosen],
            steps=None if self.steps is None else self.steps[chosen],
            doses={name: dose[chosen] for name, dose in self.doses.items()},
            floors=None if self.floors is None else self.floors[chosen],
            means=None if self.means is None else self.means[chosen],
        )

    def raised(self, by: Floats) -> Series:
        """With `by`, shape (n,), added to its values."""
        return replace(
            self,
            values=self.values + by,
            floors=None if self.floors is None else self.floors + by,
            means=None if self.means is None else self.means + by,
        )


def from_rounds(
    metric: MetricSpec,
    label: str,
    t: Floats,
    values: Floats,
    steps: Floats | None = None,
    interval: float | None = None,
    doses: Mapping[str, Floats] | None = None,
) -> Series:
    """Make a series of raw rounds: NaN rows dropped, time made strictly increasing, gaps counted.

    A gap is a wait of more than 2.5 intervals; without an `interval` the median spacing of the known values serves.
    `steps` and `doses` hold NaN in rounds without a new beat: between two beats they are interpolated, before the
    first they are 0.
    """
    known = np.isfinite(values) & np.isfinite(t)
    order = np.flatnonzero(known)
    times, amounts = t[order], values[order]
    if len(times) > 1:
        later = np.concatenate(([True], times[1:] > np.maximum.accumulate(times)[:-1]))
        order, times, amounts = order[later], times[later], amounts[later]
    counted = {name: _count(t, dose)[order] for name, dose in (doses or {}).items() if np.isfinite(dose).any()}
    done = None if steps is None or not np.isfinite(steps).any() else _count(t, steps)[order]
    return Series(metric, label, times, amounts, done, _count_gaps(times, interval), counted)


def _count(t: Floats, steps: Floats) -> Floats:
    known = np.isfinite(steps) & np.isfinite(t)
    return np.interp(t, t[known], steps[known], left=0.0)


def _count_gaps(t: Floats, interval: float | None) -> int:
    if len(t) < 3:
        return 0
    waits = np.diff(t)
    expected = interval if interval else float(np.median(waits))
    return int(np.count_nonzero(waits > 2.5 * expected))
