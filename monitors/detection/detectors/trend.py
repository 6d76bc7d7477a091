"""Lasting growth of one series: how probable, how fast, since when, and how slow a leak would still have been seen.

Blocks by time (floors, medians or means, whichever are quietest), every shape under every noise weighed against each
other, the calibrated probability, and the verdict in words. `docs/detection.md` says why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from monitors.detection import calibration
from monitors.detection.beside import StepsUp, of_stairs, steps_up
from monitors.detection.calibration import EVEN, MOST_BLOCKS, Calibration
from monitors.detection.ending import without_its_end
from monitors.detection.judge import Detector, JudgeSettings
from monitors.detection.jumps import MARGIN, beside, joined
from monitors.detection.posterior import (
    Fit,
    Posterior,
    RateEstimate,
    fit,
    odds_of_planted,
    odds_of_recurring,
    rate_of,
    weigh,
)
from monitors.detection.recurring import FEWEST_ALIKE, go_on
from monitors.detection.series import Floats, Series
from monitors.detection.shapes import LATE, Dictionary, Shape, dictionary
from monitors.detection.stats import Blocks, Ints, cut_blocks, resolution, roughness, without_spikes
from monitors.model import Finding, RatePerDose, SeriesVerdict
from monitors.units import format_duration, format_rate, format_value

_FEWEST_BLOCKS = 12
_PAGE = 4096.0
_GRAINS = 4.0
"""Growth of fewer units of the series' resolution is not seen."""
_SURE = 1.645
"""Standard normal deviations below which one draw in twenty lies."""
_EXCURSION = 0.23
"""Share of a trial: what leaves its course for less than half of it, and comes back, is left out."""
_UNDONE = 0.1
_CALM = -3.0
"""Log odds below which a series passes even if it is like none that was calibrated."""
_RARE, _UNLIKELY = 0.03, 0.6
"""A series passes where growth that would have been seen is so rare, and any growth less likely than this."""
_UNOWNED = 0.125
"""Probability of a leak beforehand of the memory of a whole machine: it wanders with all that runs there, as no single
process does."""
_UNCLEANED = 0.25
"""The same of a process that was never cleaned up: garbage that waits for a collection, and memory that the allocator
retains, grow as a leak does, for as long as nothing takes them back."""
_DAY, _LEAST_OF_A_DAY = 86_400.0, 0.25
"""Seconds; and the share of a day from which on its swing is seen as one: less of it is a line."""
_LEAST_SHOWN = 0.1
"""Share of the growth that was found down to which slower growth is tried."""
_FASTEST, _TRIED = 1000.0, 32
"""Errors of a rate: growth this far beyond the noise is found, or none is; and how many rates up to it are tried."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """A series on its blocks, weighed; x runs from 0 at the first step to 1 at the end.

    least: growth over the whole that counts, in the series' unit. stairs: how many steps it grows by, where they are
    few and recur.
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
        if _of_a_machine(self.series):
            return _UNOWNED
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


class Trend:
    """Growth that lasts: its probability, its rate, since when, and the smallest leak that would have been seen."""

    def judge(self, series: Series, settings: JudgeSettings) -> Finding:
        """Judge one series; the cost is O(n) in its samples."""
        worked = series.worked()
        short = _too_short(worked, settings)
        if short:
            return _unjudged(series, short)
        judged = _judged(worked, settings)
        if judged is None:
            return _unjudged(series, "its samples leave too much of the trial unseen to judge it")
        return _finding(judged, settings, series)


DETECTOR: type[Detector] = Trend


def _too_short(worked: Series, settings: JudgeSettings) -> str:
    """Why a series cannot be told from the start-up of its trial, and what is enough; empty where it can."""
    stepped = worked.steps is not None
    if stepped and not worked.size:
        return "no step was seen: all of it is the start-up"
    since = "since the first step " if stepped else ""
    seconds = float(worked.t[-1] - worked.t[0]) if len(worked.t) else 0.0
    least = settings.min_seconds if stepped else settings.min_seconds_without_steps
    enough = f"{settings.min_samples} over {format_duration(least)} are enough"
    if worked.size < settings.min_samples:
        return f"{worked.size} samples {since}are too few to judge; {enough}"
    if seconds < least:
        seen = f"{format_duration(seconds)} ({worked.size} samples) {since}"
        return f"{seen}are too short to tell a leak from a start-up; {enough}"
    return ""


def _unjudged(series: Series, reason: str) -> Finding:
    return Finding(
        detector="trend", series=series.name, layer=series.metric.layer, unit=series.metric.unit,
        verdict="inconclusive", leak_probability=None, calibrated=False, rate_per_hour=None, rate_per_hour_ci95=None,
        rate_per_step=None, minimum_detectable_rate_per_hour=None, shape="unknown", reason=reason,
        samples=series.size, gaps=series.gaps,
    )  # fmt: skip


def _judged(given: Series, settings: JudgeSettings) -> _Judged | None:
    whole, restarts = joined(given)
    series = without_its_end(whole)
    origin, span = float(series.t[0]), float(series.t[-1] - series.t[0])
    blocks, y = _quietest(series)
    if len(y) < _FEWEST_BLOCKS:
        return None
    grain = _grain(series)
    least = max(settings.min_rate(series) * span / 3600.0, _GRAINS * grain, settings.least_growth(series, span))
    book = dictionary(np.ascontiguousarray(((blocks.t - origin) / span).round(9)), _days(series, span))
    jumps, posterior, stairs = _weighed(book, y, grain)
    fitted = calibration.load()
    rate = rate_of(posterior, settings.confidence, fitted.widening)
    return _Judged(series, restarts, origin, span, y, posterior, jumps, rate, least, grain, fitted, stairs)


def _of_a_machine(series: Series) -> bool:
    """Whether it is to be taken for an amount of a whole machine: what is counted beside steps is of who makes them."""
    return series.metric.owner == "machine" or (not series.metric.owner and series.steps is None)


def _days(series: Series, span: float) -> float:
    """How many days were seen, in hundredths, of what follows the day; 0 of what does not, or where too few were."""
    days = span / _DAY
    return round(days, 2) if _of_a_machine(series) and days >= _LEAST_OF_A_DAY else 0.0


def _weighed(book: Dictionary, y: Floats, grain: float) -> tuple[Ints, Posterior, int]:
    """Jumps that stand alone, every model weighed, and how many steps recur, where that is how the series grows.

    Of a staircase that goes on, no jump stands alone.
    """
    jumps, columns = beside(y, grain)
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


def _finding(judged: _Judged, settings: JudgeSettings, given: Series) -> Finding:
    smallest = _detectable(judged)
    steps = None
    if judged.leaks:
        steps = steps_up(judged.posterior, judged.y, len(judged.jumps), judged.rate.rate)
        judged = _with_steps(judged, steps)
        smallest = min(smallest or math.inf, judged.rate.rate * judged.hour)
    shape, fitted = judged.told()
    seen = _traits(judged.posterior, fitted)
    strange = judged.calibration.unseen(seen)
    verdict, reason = _verdict(judged, shape, fitted, smallest, strange if judged.odds > _CALM else None)
    if verdict == "leak" and steps:
        reason += steps.said(judged.series.metric.unit)
    if judged.restarts:
        reason += f"; judged across {judged.restarts} restart{'s' if judged.restarts > 1 else ''}"
    rate, metric, hour = judged.rate, judged.series.metric, judged.hour
    onset = judged.origin + judged.span * (shape.place or 0.0) if shape.name == "late onset" else None
    begins = onset if onset is not None else judged.origin + judged.span * min(shape.settled, 0.5)
    per_dose = _per_dose(judged)
    per_step = per_dose.pop("steps", None)
    return Finding(
        detector="trend", series=given.name, layer=metric.layer, unit=metric.unit, verdict=verdict,
        leak_probability=judged.probability, calibrated=strange is None, rate_per_hour=rate.rate * hour,
        rate_per_hour_ci95=(rate.low * hour, rate.high * hour), rate_per_step=per_step.rate if per_step else None,
        rate_per_step_ci95=per_step.ci95 if per_step else None, rate_per_dose=per_dose,
        minimum_detectable_rate_per_hour=smallest, shape=shape.name.split(",")[0], reason=reason,
        samples=given.size, gaps=given.gaps, restarts=judged.restarts, evidence=judged.odds,
        traits=seen,
        growth=rate.rate * (1 - (begins - judged.origin) / judged.span), judged_from=begins,
        onset=onset if verdict == "leak" else None, noise=float(np.std(fitted.rest)),
    )  # fmt: skip


def _with_steps(judged: _Judged, steps: StepsUp | None) -> _Judged:
    """With the rate of a leak that grows by steps: those that recur, or those beside its growth."""
    rate = steps.added(judged.rate) if steps else judged.rate
    if judged.stairs:
        rate = of_stairs(rate, judged.posterior.book.x, judged.y, judged.stairs)
    return replace(judged, rate=rate)


def _traits(posterior: Posterior, fitted: Fit) -> Mapping[str, float]:
    """What says how like the calibrated ones a series is, by name.

    blocks: how many. largest: of what the best fit leaves over, in deviations. correlation: of neighbours in it, that
    of fewer blocks taken as less: it strays with one over the root of their number.
    """
    white = fitted.white - fitted.white.mean()
    power = max(float(white @ white), len(white) * posterior.grain**2)
    return {
        "blocks": float(len(white)),
        "largest": float(np.abs(white).max() / np.sqrt(power / len(white))),
        "correlation": float(white[1:] @ white[:-1] / power * np.sqrt(len(white) / MOST_BLOCKS)),
    }


def _per_dose(judged: _Judged) -> dict[str, RatePerDose]:
    """The rate by what was consumed over the last third of the trial, over which it is stated."""
    series, late = judged.series, judged.origin + LATE * judged.span
    doses = dict(series.doses)
    if series.steps is not None:
        doses["steps"] = series.steps
    out: dict[str, RatePerDose] = {}
    for name, dose in doses.items():
        taken = (float(dose[-1]) - float(np.interp(late, series.t, dose))) / (1 - LATE)
        if taken >= 1:
            rate = judged.rate
            out[name] = RatePerDose(rate.rate / taken, (rate.low / taken, rate.high / taken))
    return out


def _detectable(judged: _Judged) -> float | None:
    """The smallest leak that would have been found, per hour; no more than one that was. None where none would be."""
    smallest = _smallest(judged)
    if not judged.leaks or (smallest is not None and smallest <= judged.rate.rate * judged.hour):
        return smallest
    return _shown(judged) * judged.hour


def _shown(judged: _Judged) -> float:
    """The smallest leak that this very trial would have shown: the growth that it did show, made ever slower.

    What is found 19 times in 20 in noise like this may be more than what was found: noise can be kind.
    """
    posterior, rate = judged.posterior, judged.rate
    growth = fit(posterior, *posterior.best_growing(), judged.y).growth
    less = 1 - np.geomspace(_LEAST_SHOWN, 1.0, 16)[:-1]
    odds = weigh(posterior.book, judged.y - less[:, None] * growth, posterior.grain, posterior.beside).odds
    shown = 1.0
    for share, odd in zip(less[::-1].tolist(), odds[::-1].tolist(), strict=True):
        slower = replace(rate, centres=rate.centres - share * rate.rate)
        if judged.grown(odd) * slower.exceeds(judged.least) < judged.calibration.leak_from:
            break
        shown = 1 - share
    return rate.rate * shown


def _smallest(judged: _Judged) -> float | None:
    """The smallest linear leak that would have been found 19 times in 20, in this noise over this time, per hour."""
    posterior = judged.posterior
    grows = judged.odds > 0
    shape, noise = posterior.best_growing() if grows else posterior.best_still()
    fitted = fit(posterior, shape, noise, judged.y)
    freedom = max(1.0, len(judged.y) - shape.parameters - posterior.beside.shape[1])
    deviation = max(float(np.sqrt(fitted.white @ fitted.white / freedom)), posterior.grain)
    line = next(i for i, one in enumerate(posterior.book.growing) if one.kind == "flat")
    error = deviation / max(float(posterior.book.length[noise, line]), 1e-12)
    rates = error * np.geomspace(1.0, _FASTEST, _TRIED)
    odds = odds_of_planted(posterior, noise, fitted.still, deviation, rates)
    # Near the limit the odds are half the square of a normal variable; far beyond it, they scatter as log squares do.
    scatter = np.minimum(np.sqrt(2 * np.maximum(odds, 0.0)), np.sqrt(len(judged.y) / 2))
    surely = odds - _SURE * scatter
    found = surely >= judged.needed
    if not found[-1]:
        return None
    first = len(found) - int(np.argmin(found[::-1])) if not found.all() else 0
    return float(max(rates[first], judged.least + 2 * _SURE * error)) * judged.hour


def _verdict(
    judged: _Judged, shape: Shape, fitted: Fit, smallest: float | None, strange: str | None
) -> tuple[SeriesVerdict, str]:
    unit, rate = judged.series.metric.unit, judged.rate
    low, middle, high = (format_rate(bound * judged.hour, unit) for bound in (rate.low, rate.rate, rate.high))
    if strange is not None:
        said = f"{_STRANGE[strange]}, unlike any series that the probability was calibrated on"
        return "inconclusive", f"{said}; its rate would be {middle} ({low} to {high})"
    if judged.leaks:
        place = judged.origin + judged.span * (shape.place or 0.0)
        since = f" since {format_duration(place)}" if shape.name == "late onset" else ""
        return "leak", f"growth of {middle}{since} ({low} to {high}) that lasts to the end"
    if smallest is None:
        longer = format_duration(judged.span)
        return "inconclusive", f"too short and too noisy to show any leak, however fast; {longer} more may show it"
    seen = f"a leak of {format_rate(smallest, unit)} would have been seen"
    if _passes(judged, smallest):
        return "pass", f"{_calm(judged, shape, fitted)}; {seen}"
    return "inconclusive", _doubt(judged, f"growth of {middle} ({low} to {high})")


def _passes(judged: _Judged, smallest: float) -> bool:
    """Whether a leak is improbable; or whatever grows is very probably less than what would have been seen."""
    # By even odds, whatever the series is of: what makes a leak less likely makes no growth pass.
    told = judged.chance(EVEN)
    if told <= judged.calibration.pass_to:
        return True
    faster = judged.grown(judged.odds, EVEN) * judged.rate.exceeds(smallest / judged.hour)
    return told < _UNLIKELY and faster <= _RARE


_STRANGE = {
    "blocks": "it is too short",
    "largest": "single values lie far from the rest",
    "correlation": "it fits no known shape",
}


def _doubt(judged: _Judged, growth: str) -> str:
    """Why it cannot be told, and how much longer would do: log odds grow with the cube of the time."""
    if judged.grown(judged.odds) >= judged.calibration.leak_from:
        return f"{growth} may add up to less than {_least(judged)}, the least that counts"
    shared = _of_a_machine(judged.series)
    noun = "what else runs on the machine" if shared else _NOUNS[judged.posterior.best_still()[0].name]
    longer = judged.span * min(4.0, max(0.25, (judged.needed / max(judged.odds, 0.05)) ** (1 / 3) - 1))
    more = f"{format_duration(longer)} more may show it"
    return f"{growth} is not shown to last: {noun} would explain it about as well; {more}"


_NOUNS = {"flat": "noise that wanders", "warm-up": "a warm-up", "saturating": "a cache that fills",
          "periodic": "a swing", "step": "a step or two"}  # fmt: skip


def _least(judged: _Judged) -> str:
    return format_value(judged.least, judged.series.metric.unit)


def _calm(judged: _Judged, shape: Shape, fitted: Fit) -> str:
    """What the series does, which is no leak, in words."""
    unit = judged.series.metric.unit
    if judged.odds > 0:
        growth = f"growth of {format_rate(judged.rate.rate * judged.hour, unit)}"
        if judged.rate.rate < judged.least:
            return f"{growth} adds up to less than {_least(judged)}, the least that counts"
        return f"{growth} is about as likely as none"
    still, x = fitted.still, judged.posterior.book.x
    change = float(still[-1] - still[0])
    exact = max(judged.grain, 1e-6 * float(np.abs(judged.y).max()), 2 * float(np.std(fitted.rest)))
    stairs = float(judged.posterior.stairs[0]) > float(judged.posterior.still.max())
    if stairs:
        # No shape follows it: what it rose by is read from its ends.
        change = float(np.median(judged.y[-3:]) - np.median(judged.y[:3]))
    if (stairs or len(judged.jumps) > 1) and abs(change) > exact:
        moved = "a rise" if change > 0 else "a fall"
        return f"{moved} of {format_value(abs(change), unit)} in a few steps, flat between them"
    if shape.name == "periodic":
        return "swings, without growing"
    if shape.name == "flat" or abs(change) <= exact:
        return "flat"
    if shape.name == "step" and not shape.settled:
        at = judged.origin + judged.span * float(shape.place or 0.0)
        return f"a step of {format_value(change, unit)} at {format_duration(at)}, else flat"
    if change < 0:
        return f"a fall of {format_value(-change, unit)}"
    early = 3 * judged.hour * float(np.interp(1 / 3, x, still) - still[0])
    late = 3 * judged.hour * float(still[-1] - np.interp(LATE, x, still))
    faded = f"faded from {format_rate(early, unit)} to {format_rate(max(late, 0.0), unit)}"
    return f"growth of {format_value(change, unit)} not sustained: {faded}"
