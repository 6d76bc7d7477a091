"""The samples of one metric of one trial, as arrays. Gaps are kept as facts, never bridged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from monitors.labels import series_name
from monitors.model import MetricSpec

Floats = npt.NDArray[np.float64]
_LATE = 2.5
"""Usual waits after which a sample is missing."""
_MOST_HOLES = 16


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch in which samples that were due are missing.

    begin: time of the last sample before it. end: of the first after it, or of the end of what was to be seen.
    seconds: without a time in which nothing could happen (the trial was paused).
    """

    begin: float
    end: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Series:
    """One metric over one trial.

    t: seconds since the trial began, shape (n,), strictly increasing.
    values: shape (n,), in the metric's unit, no NaN.
    steps: the worker's step count at each sample, shape (n,), or None where steps are not counted.
    gaps: number of stretches where samples that were due are missing.
    doses: what was consumed by each sample, besides steps, by name, each of shape (n,).
    floors, means: where a sample stands for several (`monitors.detection.condense`), their least and their mean, shape
        (n,); `values` then holds their medians. None where every sample is one.
    samples: how many samples there were before they were condensed; 0 for as many as there are values.
    holes: the longest of the gaps, by time. The last may reach from the last sample to the end of the trial.
    member, device: what it is of; empty for the trial as a whole, and where there is a single one.
    unbroken: whether it is known that no fall in it is a restart of its process.
    uncleaned: whether its process was never cleaned up: it may hold garbage, and memory that its allocator retains.
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
    holes: tuple[Hole, ...] = ()
    member: str = ""
    device: str = ""
    unbroken: bool = False
    uncleaned: bool = False

    @property
    def name(self) -> str:
        """As `monitors.labels` writes it."""
        return series_name(self.metric.name, self.member, self.device, self.label)

    @property
    def size(self) -> int:
        """How many samples it was made of."""
        return self.samples or len(self.t)

    def part(self, chosen: slice) -> Series:
        """A stretch of it, with the gaps that it saw."""
        t = self.t[chosen]
        ends = len(t) > 0 and t[-1] == self.t[-1]
        return replace(
            self,
            t=t,
            holes=tuple(hole for hole in self.holes if len(t) and t[0] <= hole.end and (ends or hole.begin < t[-1])),
            values=self.values[chosen],
            steps=None if self.steps is None else self.steps[chosen],
            doses={name: dose[chosen] for name, dose in self.doses.items()},
            floors=None if self.floors is None else self.floors[chosen],
            means=None if self.means is None else self.means[chosen],
        )

    def worked(self) -> Series:
        """Without imports and the building of the model, which are no step's doing; all where no steps are known."""
        if self.steps is None:
            return self
        stepped = self.steps > 0
        return self.part(slice(int(np.argmax(stepped)) if stepped.any() else len(self.t), None))

    def until(self, end: float, pauses: Sequence[tuple[float, float]] = ()) -> Series:
        """Held against `end`, until when there was something to be seen: time without a sample up to it is a gap too.

        pauses: begin and end of times in which nothing could happen.
        """
        if not len(self.t) or not end > self.t[-1]:
            return self
        gaps, tail = find_gaps(np.array([self.t[-1], end]), usual_wait(np.diff(self.t)), pauses)
        return replace(self, gaps=self.gaps + gaps, holes=longest((*self.holes, *tail)))

    def since(self, begin: float) -> Series:
        """Held against `begin`, since when there was something to be seen: time before its first sample is a gap."""
        if not len(self.t) or not begin < self.t[0]:
            return self
        gaps, head = find_gaps(np.array([begin, self.t[0]]), usual_wait(np.diff(self.t)), ())
        return replace(self, gaps=self.gaps + gaps, holes=longest((*head, *self.holes)))

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
    pauses: Sequence[tuple[float, float]] = (),
) -> Series:
    """Make a series of raw rounds: NaN rows dropped, time made strictly increasing, gaps counted.

    A gap is a wait of more than 2.5 intervals; without an `interval` the median spacing of the known values serves.
    `steps` and `doses` hold NaN in rounds without a new beat: between two beats they are interpolated, before the
    first they are 0.
    pauses: begin and end of times in which nothing could happen.
    """
    known = np.isfinite(values) & np.isfinite(t)
    order: slice | npt.NDArray[np.intp] = slice(None) if known.all() else np.flatnonzero(known)
    times, amounts = t[order], values[order]
    waits = np.diff(times)
    if len(times) > 1 and not waits.min() > 0:
        later = np.concatenate(([True], times[1:] > np.maximum.accumulate(times)[:-1]))
        order, times, amounts = np.flatnonzero(known)[later], times[later], amounts[later]
        waits = np.diff(times)
    counted = {name: filled(t, dose)[order] for name, dose in (doses or {}).items() if np.isfinite(dose).any()}
    done = None if steps is None or not np.isfinite(steps).any() else filled(t, steps)[order]
    gaps, holes = find_gaps(times, interval or usual_wait(waits), pauses)
    return Series(metric, label, times, amounts, done, gaps, counted, holes=longest(holes))


def filled(t: Floats, steps: Floats) -> Floats:
    """A count at every time of `t`, where it was told at some: straight lines between those, 0 before the first."""
    if np.isfinite(steps).all():
        return steps
    known = np.isfinite(steps) & np.isfinite(t)
    return np.interp(t, t[known], steps[known], left=0.0)


def usual_wait(waits: Floats) -> float:
    """The time between two samples that is expected; without end where that cannot be said."""
    return float(np.median(waits)) if len(waits) else np.inf


def find_gaps(t: Floats, usual: float, pauses: Sequence[tuple[float, float]] = ()) -> tuple[int, list[Hole]]:
    """How many waits between neighbours of `t` are too long, and the longest of them.

    t: rising, shape (n,). usual: seconds between two. pauses: begin and end of times that do not count.
    """
    waits = np.diff(t)
    for begin, end in pauses:
        waits = waits - np.maximum(0.0, np.minimum(t[1:], end) - np.maximum(t[:-1], begin))
    late = np.flatnonzero(waits > _LATE * usual)
    kept = late[np.argsort(-waits[late], kind="stable")[:_MOST_HOLES]]
    return len(late), [Hole(float(t[i]), float(t[i + 1]), float(waits[i])) for i in kept]


def longest(holes: Iterable[Hole]) -> tuple[Hole, ...]:
    """The few longest, by time."""
    few = sorted(holes, key=lambda hole: -hole.seconds)[:_MOST_HOLES]
    return tuple(sorted(few, key=lambda hole: hole.begin))
