"""Lasting growth of one series: how probable, how fast, since when, and how slow a leak would still have been seen.

Whether its samples are enough, and what `Weighed` makes of them as a verdict in words. `docs/detection.md` says why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from monitors.detection.beside import StepsUp, of_stairs, steps_up
from monitors.detection.calibration import EVEN, MOST_BLOCKS
from monitors.detection.detectable import detectable
from monitors.detection.judge import Detector, JudgeSettings
from monitors.detection.posterior import Fit, Posterior
from monitors.detection.series import Series
from monitors.detection.shapes import LATE, Shape
from monitors.detection.tail import after_its_growth
from monitors.detection.teeth import held_beyond_its_falls
from monitors.detection.weighed import Weighed, of_a_machine, weighed
from monitors.model import Finding, RatePerDose, SeriesVerdict
from monitors.units import format_duration, format_rate, format_value

_CALM = -3.0
"""Log odds below which a series passes even if it is like none that was calibrated."""
_RARE, _UNLIKELY = 0.03, 0.5
"""A series passes where growth that would have been seen is so rare, and any growth less likely than this."""


class Trend:
    """Growth that lasts: its probability, its rate, since when, and the smallest leak that would have been seen."""

    def judge(self, series: Series, settings: JudgeSettings) -> Finding:
        """Judge one series, and what is left of it after growth that ended; the cost is O(n) in its samples."""
        judged = _weighed(series, settings)
        if not isinstance(judged, Weighed):
            return judged
        return _with_its_tail(_finding(judged, series), judged, settings)

    def judge_whole(self, series: Series, settings: JudgeSettings) -> Finding:
        """The same by a single look, at all of it."""
        judged = _weighed(series, settings)
        return _finding(judged, series) if isinstance(judged, Weighed) else judged


DETECTOR: type[Detector] = Trend


def _weighed(series: Series, settings: JudgeSettings) -> Weighed | Finding:
    """The series since its first step, weighed; or why it is not judged."""
    worked = series.worked()
    short = _too_short(worked, settings)
    if short:
        return _unjudged(series, short)
    judged = weighed(worked, settings)
    if judged is None:
        return _unjudged(series, "too much of the trial was not sampled to judge it")
    return judged


def _with_its_tail(whole: Finding, judged: Weighed, settings: JudgeSettings) -> Finding:
    """The finding of the whole; of its tail, where that leaks and the whole was not shown to.

    Where both pass, the slowest leak is told that either would have shown.
    """
    tail = after_its_growth(judged) if whole.verdict != "leak" else None
    if tail is None or _too_short(tail, settings):
        return whole
    weighed_tail = weighed(tail, settings, float(np.ptp(judged.y)))
    if weighed_tail is None:
        return whole
    found = held_beyond_its_falls(_finding(weighed_tail, tail), tail)
    last = f"the last {format_duration(weighed_tail.span)}, after faster growth that ended"
    if found.verdict == "leak":
        return replace(found, samples=whole.samples, gaps=whole.gaps, reason=f"{found.reason}, in {last}")
    slower, slow = found.minimum_detectable_rate_per_hour, whole.minimum_detectable_rate_per_hour
    if whole.verdict != "pass" or found.verdict != "pass" or slower is None or slow is None or slower >= slow:
        return whole
    reason = f"{whole.reason}, and above {format_rate(slower, whole.unit)} in {last}"
    return replace(whole, minimum_detectable_rate_per_hour=slower, reason=reason)


def _too_short(worked: Series, settings: JudgeSettings) -> str:
    """Why a series cannot be told from the start-up of its trial, and what is enough; empty where it can."""
    stepped = worked.steps is not None
    if stepped and not worked.size:
        return "no step was recorded: all of it is start-up"
    since = "since the first step " if stepped else ""
    seconds = float(worked.t[-1] - worked.t[0]) if len(worked.t) else 0.0
    least = settings.min_seconds if stepped else settings.min_seconds_without_steps
    enough = f"needed: {settings.min_samples} samples over {format_duration(least)}"
    if worked.size < settings.min_samples:
        return f"too few samples {since}to judge: {worked.size}; {enough}"
    if seconds < least:
        seen = f"{format_duration(seconds)} ({worked.size} samples) {since}"
        return f"{seen}is too short to tell a leak from start-up; {enough}"
    return ""


def _unjudged(series: Series, reason: str) -> Finding:
    return Finding(
        detector="trend", series=series.name, layer=series.metric.layer, unit=series.metric.unit,
        verdict="inconclusive", leak_probability=None, calibrated=False, rate_per_hour=None, rate_per_hour_ci95=None,
        rate_per_step=None, minimum_detectable_rate_per_hour=None, shape="unknown", reason=reason,
        samples=series.size, gaps=series.gaps,
    )  # fmt: skip


def _finding(judged: Weighed, given: Series) -> Finding:
    smallest = detectable(judged)
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


def _with_steps(judged: Weighed, steps: StepsUp | None) -> Weighed:
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


def _per_dose(judged: Weighed) -> dict[str, RatePerDose]:
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


def _verdict(
    judged: Weighed, shape: Shape, fitted: Fit, smallest: float | None, strange: str | None
) -> tuple[SeriesVerdict, str]:
    unit, rate = judged.series.metric.unit, judged.rate
    low, middle, high = (format_rate(bound * judged.hour, unit) for bound in (rate.low, rate.rate, rate.high))
    if strange is not None:
        said = f"{_STRANGE[strange]}, unlike the series that the probability was calibrated on"
        return "inconclusive", f"{said}; its rate would be {middle} ({low} to {high})"
    if judged.leaks:
        place = judged.origin + judged.span * (shape.place or 0.0)
        since = f" since {format_duration(place)}" if shape.name == "late onset" else ""
        return "leak", f"sustained growth of {middle} ({low} to {high}){since}"
    if smallest is None:
        longer = format_duration(judged.span)
        return "inconclusive", f"too short and too noisy to show any leak; run about {longer} longer"
    seen = f"detectable above {format_rate(smallest, unit)}"
    if _passes(judged, smallest):
        return "pass", f"{_calm(judged, shape, fitted)}; {seen}"
    return "inconclusive", _doubt(judged, f"growth of {middle} ({low} to {high})")


def _passes(judged: Weighed, smallest: float) -> bool:
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


def _doubt(judged: Weighed, growth: str) -> str:
    """Why it cannot be told, and how much longer would do: log odds grow with the cube of the time."""
    if judged.grown(judged.odds) >= judged.calibration.leak_from:
        return f"{growth} may be below the {_least(judged)} threshold over this trial"
    shared = of_a_machine(judged.series)
    noun = "what else runs on the machine" if shared else _NOUNS[judged.posterior.best_still()[0].name]
    longer = judged.span * min(4.0, max(0.25, (judged.needed / max(judged.odds, 0.05)) ** (1 / 3) - 1))
    return f"{growth} may not be sustained: {noun} also fits; run about {format_duration(longer)} longer"


_NOUNS = {"flat": "random drift", "warm-up": "a warm-up", "saturating": "a cache that fills",
          "periodic": "a cycle", "step": "a jump or two"}  # fmt: skip


def _least(judged: Weighed) -> str:
    return format_value(judged.least, judged.series.metric.unit)


def _calm(judged: Weighed, shape: Shape, fitted: Fit) -> str:
    """What the series does, which is no leak, in words."""
    unit = judged.series.metric.unit
    if judged.odds > 0:
        growth = format_rate(judged.rate.rate * judged.hour, unit)
        if judged.rate.rate < judged.least:
            return f"total growth over this trial was below the {_least(judged)} threshold ({growth})"
        return f"growth of {growth} is about as likely as no growth"
    still, x = fitted.still, judged.posterior.book.x
    change = float(still[-1] - still[0])
    exact = max(judged.grain, 1e-6 * float(np.abs(judged.y).max()), 2 * float(np.std(fitted.rest)))
    stairs = float(judged.posterior.stairs[0]) > float(judged.posterior.still.max())
    if stairs:
        # No shape follows it: what it rose by is read from its ends.
        change = float(np.median(judged.y[-3:]) - np.median(judged.y[:3]))
    if (stairs or len(judged.jumps) > 1) and abs(change) > exact:
        fell = "" if change > 0 else "down "
        return f"{fell}{format_value(abs(change), unit)} in a few jumps, flat otherwise"
    if shape.name == "periodic":
        return "periodic, without growth"
    if shape.name == "flat" or abs(change) <= exact:
        return "flat"
    if shape.name == "step" and not shape.settled:
        at = judged.origin + judged.span * float(shape.place or 0.0)
        return f"one jump of {format_value(change, unit)} at {format_duration(at)}, flat otherwise"
    if change < 0:
        return f"fell by {format_value(-change, unit)}"
    early = 3 * judged.hour * float(np.interp(1 / 3, x, still) - still[0])
    late = 3 * judged.hour * float(still[-1] - np.interp(LATE, x, still))
    faded = f"faded from {format_rate(early, unit)} to {format_rate(max(late, 0.0), unit)}"
    return f"grew by {format_value(change, unit)}, but growth {faded}"
