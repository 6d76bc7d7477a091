"""A series on its blocks, with every model weighed on it: what a verdict on its growth is made of.

Blocks by time (floors, medians or means, whichever are quietest), every shape under every noise weighed against each
other, the calibrated probability. `docs/detection.md` says why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from monitors.detection import calibration
from monitors.detection.calibration import EVEN, MOST_BLOCKS, Calibration
from monitors.detection.ending import without_its_end
from monitors.detection.judge import JudgeSettings
from monitors.detection.jumps import MARGIN, beside, joined
from monitors.detection.posterior import (
    INEXACT,
    Fit,
    Posterior,
    RateEstimate,
    fit,
    odds_of_recurring,
    rate_of,
    weigh,
)
from monitors.detection.recurring import FEWEST_ALIKE, go_on
from monitors.detection.series import Floats, Series
from monitors.detection.shapes import Dictionary, Shape, dictionary
from monitors.detection.stats import Blocks, Ints, cut_blocks, resolution, roughness, without_spikes

_FEWEST_BLOCKS = 12
_PAGE = 4096.0
_GRAINS = 4.0
"""Growth of fewer units of the series' resolution is not seen."""
_EXCURSION = 0.23
"""Share of a trial: what leaves its course for less than half of it, and comes back, is left out."""
_UNDONE = 0.1
_UNOWNED = 0.125
"""Probability of a leak beforehand of the memory of a whole machine: it wanders with all that runs there, as no single
process does."""
_UNCLEANED = 0.25
"""The same of a process that was never cleaned up: garbage that waits for a collection, and memory that the allocator
retains, grow as a leak does, for as long as nothing takes them back."""
_OVERLOOKED = 0.25
"""The same of what is left after growth that ended: the whole trial did not show it."""
_DAY, _LEAST_OF_A_DAY = 86_400.0, 0.25
"""Seconds; and the share of a day from which on its swing is seen as one: less of it is a line."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A series on its blocks, weighed; x runs from 0 at the first step to 1 at the end.

    least: growth over the whole that counts, in the series' unit. stairs: how many steps it grows by, where they are
    few and recur. ramp: range of the trial that it is the tail of, in the series' unit; 0 where it is the whole.
    """

    series: Series
    restarts: int
    origin: float
    span: float
    y: Floats
    posterior: Posterior
    jumps: Ints
    rate: RateEstimate
    least: float
    grain: float
    calibration: Calibration
    stairs: int
    ramp: float = 0.0

    @property
    def hour(self) -> float:
        """Turns per unit of x into per hour."""
        return 3600.0 / self.span

    @property
    def odds(self) -> float:
        """Log odds of lasting growth."""
        return float(self.posterior.odds[0])

    @property
    def before(self) -> float:
        """The probability of a leak before anything was seen."""
        if of_a_machine(self.series):
            return _UNOWNED
        if self.ramp:
            return _OVERLOOKED
        return _UNCLEANED if self.series.uncleaned else EVEN

    def grown(self, odds: float, before: float | None = None) -> float:
        """The probability of lasting growth of any size, by the log odds of it."""
        return self.calibration.probability(odds, self.series.size, self.before if before is None else before)

    def chance(self, before: float) -> float:
        """That it grows and keeps growing, faster than what counts."""
        return float(np.clip(self.grown(self.odds, before) * self.rate.exceeds(self.least), 0.0005, 0.9995))

    @property
    def probability(self) -> float:
        """The probability that is told."""
        return self.chance(self.before)

    @property
    def leaks(self) -> bool:
        """Whether the verdict is a leak, unless the series is like none that was calibrated."""
        return self.probability >= self.calibration.leak_from

    @property
    def needed(self) -> float:
        """Log odds from which on it is a leak."""
        return self.calibration.odds(self.calibration.leak_from, self.series.size, self.before)

    def told(self) -> tuple[Shape, Fit]:
        """The shape to speak of, growing or not, and its fit."""
        grows = self.odds > 0
        shape, noise = self.posterior.best_growing() if grows else self.posterior.best_still()
        fitted = fit(self.posterior, shape, noise, self.y)
        jumps = self.jumps
        if shape.name == "flat" and len(jumps):
            return replace(
                shape, name="step", place=float(self.posterior.book.x[jumps[0] - 1 : jumps[0] + 1].mean())
            ), fitted
        if grows and shape.kind == "stop" and _undone(fitted) > _UNDONE:
            return replace(shape, name="late onset"), fitted
        return shape, fitted


def _undone(fitted: Fit) -> float:
    """Share of the growth that a fall beside it takes back: growth that begins where the fall ends is late growth."""
    return float(fitted.still[0] - fitted.still[-1]) / max(float(np.ptp(fitted.growth)), 1e-12)


def weighed(given: Series, settings: JudgeSettings, ramp: float = 0.0) -> Weighed | None:
    """Weigh every model on a series since its first step; None where it has too few blocks.

    ramp: range of the trial that it is the tail of, in the series' unit. No more exactly than the whole is it known.
    """
    whole, restarts = joined(given)
    series = without_its_end(whole)
    origin, span = float(series.t[0]), float(series.t[-1] - series.t[0])
    blocks, y = _quietest(series)
    if len(y) < _FEWEST_BLOCKS:
        return None
    fine = _grain(series)
    grain = max(fine, INEXACT * ramp)
    least = max(settings.min_rate(series) * span / 3600.0, _GRAINS * grain, settings.least_growth(series, span))
    book = dictionary(np.ascontiguousarray(((blocks.t - origin) / span).round(9)), _days(series, span))
    jumps, posterior, stairs = _weighed(book, y, grain, beside(y, fine))
    fitted = calibration.load()
    rate = rate_of(posterior, settings.confidence, fitted.widening)
    return Weighed(series, restarts, origin, span, y, posterior, jumps, rate, least, grain, fitted, stairs, ramp)


def of_a_machine(series: Series) -> bool:
    """Whether it is to be taken for an amount of a whole machine: what is counted beside steps is of who makes them."""
    return series.metric.owner == "machine" or (not series.metric.owner and series.steps is None)


def _days(series: Series, span: float) -> float:
    """How many days were seen, in hundredths, of what follows the day; 0 of what does not, or where too few were."""
    days = span / _DAY
    return round(days, 2) if of_a_machine(series) and days >= _LEAST_OF_A_DAY else 0.0


def _weighed(book: Dictionary, y: Floats, grain: float, apart: tuple[Ints, Floats]) -> tuple[Ints, Posterior, int]:
    """Jumps that stand alone, every model weighed, and how many steps recur, where that is how the series grows.

    apart: jumps that were found, and all columns that every model may use. Of a staircase that goes on, no jump stands
    alone.
    """
    jumps, columns = apart
    posterior = weigh(book, y[None], grain / np.sqrt(12), columns)
    bare = posterior
    if len(jumps):
        bare = weigh(book, y[None], grain / np.sqrt(12), columns[:, : -len(jumps)])
    recurring, steps = odds_of_recurring(posterior, y, len(jumps))
    odds = max(recurring, float(bare.odds[0])) if go_on(jumps, y, MARGIN) else recurring
    if odds < posterior.odds[0]:
        return jumps, posterior, 0
    if odds > recurring or steps < FEWEST_ALIKE:
        return jumps[:0], replace(bare, odds=np.array([odds])), 0
    # Steps that are seen to go on go up: how fast is told by the models of which that is so.
    up = np.where(bare.rate > 0, bare.growing, -np.inf)
    return jumps[:0], replace(bare, odds=np.array([odds]), growing=up), steps


def _grain(series: Series) -> float:
    """What is below it cannot be seen: one of what is counted, a page, or what a finer source tells apart."""
    coarsest = _PAGE if series.metric.unit == "bytes" else 1.0
    seen = 1.0 if series.metric.unit == "count" else resolution(series.values)
    finest = max(1e-9 * float(np.abs(series.values).max()), 1e-12)
    return max(min(seen or coarsest, coarsest), finest)


def _quietest(series: Series) -> tuple[Blocks, Floats]:
    """Blocks, and their floors or middles: the cut that tells a slope best, finer ones preferred.

    Floors see through a sawtooth whose period is shorter than a block; medians through spikes; means where the values
    are so coarse that most medians are equal.
    """
    most = min(MOST_BLOCKS, len(series.t))
    best: tuple[float, Blocks, Floats] | None = None
    for level in range(4):
        count = most >> level
        if count < _FEWEST_BLOCKS and level:
            break
        blocks = cut_blocks(series.t, series.values, count, series.floors, series.means)
        coarse = len(np.unique(blocks.median)) < len(blocks.median) / 2
        for values in (blocks.mean if coarse else blocks.median, blocks.floor):
            calm = without_spikes(without_spikes(values), width=max(5, int(_EXCURSION * count) | 1))
            score = roughness(calm) / np.sqrt(count) * 1.6**level
            if best is None or score < best[0]:
                best = score, blocks, calm
    assert best is not None
    return best[1], best[2]
