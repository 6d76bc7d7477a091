"""Values of runs in the order of time: did their level change, with which run, by how much? NumPy alone.

A course is a row of levels, each of which lasts three runs or more. What one or two runs do alone is no level: a run
far from the five around it is told as outlying, and counts as their median.

1. Every place is weighed at which the level may have changed, and every stretch that may have left it and come back:
   by how much better two levels explain the values than one. The sum of these weights, of which stretches that came
   back have a tenth, is what speaks for a change.
2. How much that gets without any change is simulated, for noise of four kinds (normal; Student's t of three degrees of
   freedom; normal, a tenth of the runs eight times as far; normal, one run far off), and the p of the worst of these
   counts. Of proportions, whose values are few, it is simulated by putting the course's own runs in another order.
3. p is corrected by Holm's method over all courses of a history: of those without a change, one in twenty shows one.
4. Where there is a change, what is before and after it is searched likewise. Then each change is moved to the likeliest
   place between its neighbours, and what lies within its own 95 % interval of no change is dropped.

Amounts are judged by their logarithms, so that a change is a ratio; proportions by the log odds of each run's mean, and
their levels by every trial; changes as they are.
Runs have to be independent: of a machine that is slow for a week, or of memory that creeps, the level changes too.

References: Olshen et al. 2004 (circular binary segmentation), Andrews and Ploberger 1994 (means of likelihood ratios).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitors.comparison.chance import NoChange, holm, of_noise, of_orders, p_value
from monitors.comparison.levels import levels, scaled
from monitors.comparison.model import Estimate, Measure
from monitors.comparison.places import FEWEST, LEAST, Floats, lasting, likeliest, places, tamed, weights

ALPHA = 0.05
"""Share of histories without a change that show one."""


@dataclass(frozen=True, slots=True)
class RunLevel:
    """A level that runs kept: the first of them, the one after the last, and the level with its 95 % interval."""

    first: int
    end: int
    level: Estimate


@dataclass(frozen=True, slots=True)
class LevelChange:
    """A change from one level to the next."""

    at: int
    """The first run after it."""
    earliest: int
    """It is with 95 % probability this run, or a later one up to `latest`."""
    latest: int
    relative: Estimate | None
    """after ÷ before − 1, of amounts."""
    absolute: Estimate
    """after − before, in the unit of the measure."""
    worse: bool


@dataclass(frozen=True, slots=True)
class RunCourse:
    """What the values of a measure did from run to run."""

    levels: Sequence[RunLevel]
    changes: Sequence[LevelChange]
    """One between each two levels."""
    outlying: Sequence[int]
    """Runs that lie far from their neighbours."""
    p: float | None
    """Of no change at all; None of fewer than `FEWEST` runs."""
    adjusted_p: float | None
    """The same, by Holm's method over all courses of the history."""


def courses(series: Sequence[tuple[Measure, Floats | Sequence[Floats]]], alpha: float = ALPHA) -> list[RunCourse]:
    """All courses of a history, judged at once.

    Args:
        series: measures and their values in each run, in the order of time: one or more, finite, of amounts positive.
            Shape (runs,), or of each run those of its trials, shape (trials,): then a run is judged by their mean, and
            the level of a proportion by all trials of its runs.
        alpha: probability that any change is found where there is none.
    """
    tested = sum(len(values) >= FEWEST for _, values in series)
    judged = [_Judged(measure, values, tested) for measure, values in series]
    adjusted = holm([one.p for one in judged])
    return [one.course(after, alpha) for one, after in zip(judged, adjusted, strict=True)]


class _Judged:
    """A course, and what is known of it by itself."""

    def __init__(self, measure: Measure, values: Floats | Sequence[Floats], tested: int) -> None:
        self._measure, self._trials = measure, [np.atleast_1d(run) for run in values]
        plain = scaled(measure.kind, np.array([run.mean() for run in self._trials]))
        self._long = len(plain) >= FEWEST
        self._tamed = tamed(plain) if self._long else plain
        self._regular = self._tamed == plain
        self._without: NoChange = of_orders(tested) if measure.kind == "proportion" else of_noise(tested)
        self.p = p_value(self._tamed, self._without) if self._long else None

    def course(self, adjusted_p: float | None, alpha: float) -> RunCourse:
        """Its levels; adjusted_p: over all courses of the history."""
        found = self.p is not None and adjusted_p is not None and adjusted_p <= alpha
        # What p itself had to be at most: further changes of the same course are held to it, too.
        cuts = self._cuts(alpha * self.p / adjusted_p) if found and self.p and adjusted_p else []
        while True:
            told = self._described(cuts)
            doubtful = [place for place, change in enumerate(told.changes) if not _is_certain(change.absolute)]
            if not doubtful:
                outlying = np.flatnonzero(~self._regular).tolist()
                return RunCourse(told.levels, told.changes, outlying, self.p, adjusted_p)
            del cuts[min(doubtful, key=lambda place: _certainty(told.changes[place].absolute))]
            cuts = self._moved(cuts)

    def _cuts(self, threshold: float) -> list[int]:
        """First runs of new levels."""
        cuts = sorted(_split(self._tamed, 0, self._without, threshold))
        return self._moved(self._moved(cuts))

    def _moved(self, cuts: Sequence[int]) -> list[int]:
        """Each at the likeliest place between its neighbours."""
        moved = list(cuts)
        for place in range(len(moved)):
            start, end = self._around(moved, place)
            moved[place] = start + LEAST + likeliest(lasting(self._tamed[start:end]))
        return moved

    def _around(self, cuts: Sequence[int], place: int) -> tuple[int, int]:
        edges = [0, *cuts, len(self._trials)]
        return edges[place], edges[place + 2]

    def _described(self, cuts: Sequence[int]) -> RunCourse:
        edges = [0, *cuts, len(self._trials)]
        parts = [slice(start, end) for start, end in itertools.pairwise(edges)]
        each = levels(self._measure.kind, self._trials, self._tamed, self._regular, parts)
        kept = [RunLevel(part.start, part.stop, one.level()) for part, one in zip(parts, each, strict=True)]
        moves = [after.since(before) for before, after in itertools.pairwise(each)]
        changes = [self._change(cuts, place, *move) for place, move in enumerate(moves)]
        return RunCourse(kept, changes, (), None, None)

    def _change(self, cuts: Sequence[int], place: int, relative: Estimate | None, absolute: Estimate) -> LevelChange:
        worse = (absolute.value > 0) == (self._measure.better == "lower")
        return LevelChange(cuts[place], *self._dated(cuts, place), relative, absolute, worse)

    def _dated(self, cuts: Sequence[int], place: int) -> tuple[int, int]:
        """The earliest and the latest run with which it may have begun, by 95 % of the weight."""
        start, end = self._around(cuts, place)
        weight = lasting(self._tamed[start:end])
        share = np.exp(weight - weight.max())
        order = np.argsort(-share, kind="stable")
        likely = order[: int(np.searchsorted(np.cumsum(share[order]), 0.95 * share.sum())) + 1]
        return start + LEAST + int(likely.min()), start + LEAST + int(likely.max())


def _split(values: Floats, before: int, without: NoChange, threshold: float) -> list[int]:
    """First runs of new levels, found one place at a time. before: runs that are before these."""
    if len(values) < FEWEST or p_value(values, without) > threshold:
        return []
    first, end, _ = places(len(values))
    best = likeliest(weights(values))
    edges = sorted({0, int(first[best]), int(end[best]), len(values)})
    found = [before + edge for edge in edges[1:-1]]
    for start, stop in itertools.pairwise(edges):
        found += _split(values[start:stop], before + start, without, threshold)
    return found


def _is_certain(change: Estimate) -> bool:
    """Whether no change lies outside of its interval."""
    if change.low is None or change.high is None:
        return change.value != 0
    return change.low > 0 or change.high < 0


def _certainty(change: Estimate) -> float:
    """Its size by the width of its interval."""
    wide = 0.0 if change.low is None or change.high is None else change.high - change.low
    return abs(change.value) / wide if wide > 0 else np.inf
