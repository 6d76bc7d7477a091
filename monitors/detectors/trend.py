"""Lasting growth of one series: is there any, how fast, since when, and how slow a leak would still have been seen.

Blocks by time (floors or medians, whichever are quieter), burn-in left out as far as the data ask for it, the guarded
decision of `monitors.growth`, a Theil-Sen rate with a block-bootstrap interval, and the verdict in words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from monitors.detection import Detector, JudgeSettings
from monitors.growth import GUARDS, Decisions, Limits, decide, smallest_seen
from monitors.model import Finding, SeriesVerdict
from monitors.series import Floats, Series
from monitors.shapes import Dictionary, Shape, dictionary, parts
from monitors.stats import (
    Blocks,
    bootstrap_slopes,
    cut_blocks,
    resolution,
    roughness,
    student_quantile,
    theil_sen,
    without_spikes,
)  # fmt: skip
from monitors.units import format_duration, format_rate, format_value

_MOST_BLOCKS, _FEWEST_BLOCKS = 64, 10
_CUTS = (0.1, 0.2, 0.3, 0.4, 0.5)
_UNSETTLED = 5.0
"""Burn-in goes on while what is unexplained of the first quarter has so many times the variance of the rest."""
_DOUBT = 2.0
"""Nats of evidence for growth from which a series that is no leak is no clear pass either."""
_FADED = -2.0
_DRAWS = 200
_CHOSEN = 1.4
"""Noise is taken for larger by this: the shape was chosen to fit, so it leaves less unexplained than the noise is.
Measured by `benchmarks/judgement.py`."""
_PAGE = 4096.0
_GRAINS = 4.0
"""Growth of fewer units of the series' resolution is not seen."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """The judged part of a series on its blocks; x runs from 0 at the first step to 1 at the end."""

    series: Series
    origin: float
    span: float
    blocks: Blocks
    y: Floats
    x: Floats
    book: Dictionary
    limits: Limits
    decision: Decisions

    @property
    def grows(self) -> Shape:
        return self.book.growing[int(self.decision.fits.growing[0])]

    @property
    def still(self) -> Shape:
        return self.book.still[int(self.decision.fits.still[0])]

    @property
    def evidence(self) -> float:
        return float(self.decision.fits.evidence[0])

    @property
    def growth(self) -> float:
        """Over the part where growth is seen alone, in the series' unit, if there is any."""
        return float(self.decision.fits.rate[0] * (1 - self.decision.start[0]))

    @property
    def hour(self) -> float:
        """Turns per unit of x into per hour."""
        return 3600.0 / self.span


class Trend:
    """Growth that lasts: its rate, since when, and the smallest leak that would have been seen."""

    def judge(self, series: Series, settings: JudgeSettings) -> Finding:
        """Judge one series; the cost is O(n) in its samples."""
        worked = _since_first_step(series)
        if len(worked.t) < settings.min_samples:
            few = f"{len(worked.t)} samples since the first step are too few to judge; {settings.min_samples} would do"
            return _unjudged(series, few)
        judged = _judged(worked, settings)
        if judged is None:
            return _unjudged(series, "its samples leave too much of the trial unseen to judge it")
        return _finding(judged, settings, len(series.t), series.gaps)


DETECTOR: type[Detector] = Trend


def _since_first_step(series: Series) -> Series:
    """Without imports and the building of the model: whatever they take is no step's doing."""
    steps = series.steps
    if steps is None or not (steps > 0).any():
        return series
    first = int(np.argmax(steps > 0))
    return replace(series, t=series.t[first:], values=series.values[first:], steps=steps[first:])


def _unjudged(series: Series, reason: str) -> Finding:
    return Finding(
        detector="trend", series=series.name, layer=series.metric.layer, unit=series.metric.unit,
        verdict="inconclusive", leak_probability=None, calibrated=False, rate_per_hour=None, rate_per_hour_ci95=None,
        rate_per_step=None, minimum_detectable_rate_per_hour=None, shape="unknown",
        reason=reason,
        samples=len(series.t), gaps=series.gaps,
    )  # fmt: skip


def _judged(series: Series, settings: JudgeSettings) -> _Judged | None:
    origin, span = float(series.t[0]), float(series.t[-1] - series.t[0])
    blocks, floors = _quietest(series)
    x = (blocks.t - origin) / span
    grain = _grain(series)
    least = max(_GRAINS * grain, settings.least_growth(series))
    limits = Limits(settings.min_rate(series) * span / 3600.0, least, grain, settings.confidence)
    judged = None
    for cut in _CUTS:
        keep = x >= cut
        if keep.sum() < _FEWEST_BLOCKS - 3:
            break
        y = floors[keep]
        book = dictionary(np.ascontiguousarray(x[keep].round(9)))
        decision = decide(book, y[None], limits)
        judged = _Judged(series, origin, span, _kept(blocks, keep), y, book.x, book, limits, decision)
        if _settled(judged):
            break
    return judged


def _kept(blocks: Blocks, keep: np.ndarray) -> Blocks:
    return Blocks(blocks.t[keep], blocks.floor[keep], blocks.median[keep], blocks.start[keep])


def _grain(series: Series) -> float:
    """What is below it cannot be seen: one of what is counted, a page, or what a finer source tells apart."""
    coarsest = _PAGE if series.metric.unit == "bytes" else 1.0
    seen = 1.0 if series.metric.unit == "count" else resolution(series.values)
    finest = max(1e-9 * float(np.abs(series.values).max()), 1e-12)
    return max(min(seen or coarsest, coarsest), finest)


def _quietest(series: Series) -> tuple[Blocks, Floats]:
    """Blocks, and their floors or medians: the cut that tells a slope best, finer ones preferred.

    Floors see through a sawtooth whose period is shorter than a block, medians through white noise.
    """
    most = min(_MOST_BLOCKS, len(series.t) // 2)
    best: tuple[float, Blocks, Floats] | None = None
    for level in range(4):
        count = most >> level
        if count < _FEWEST_BLOCKS and level:
            break
        blocks = cut_blocks(series.t, series.values, count)
        for values in (blocks.median, blocks.floor):
            calm = without_spikes(values)
            score = roughness(calm) / np.sqrt(count) * 1.3**level
            if best is None or score < best[0]:
                best = score, blocks, calm
    assert best is not None
    return best[1], best[2]


def _settled(judged: _Judged) -> bool:
    fits = judged.decision.fits
    grows = judged.evidence > 0
    shape, noise = (judged.grows, fits.growing_noise[0]) if grows else (judged.still, fits.still_noise[0])
    still, growth = parts(judged.book, shape, int(noise), judged.y)
    rest = np.diff(judged.y - still - growth)
    early = max(2, len(rest) // 4)
    floor = judged.limits.grain**2 / 6
    return float(np.mean(rest[:early] ** 2)) <= _UNSETTLED * (float(np.mean(rest[early:] ** 2)) + floor)


@dataclass(frozen=True, slots=True)
class _Rate:
    """Per hour and per step, with what it was measured on."""

    hour: float
    interval: tuple[float, float]
    step: float | None
    start: float
    growth: float
    noise: float


def _rate(judged: _Judged, grows: bool, settings: JudgeSettings) -> _Rate:
    """Theil-Sen on the blocks without their still part; the interval is the wider of bootstrap and fit on each side."""
    fits = judged.decision.fits
    shape, noise = (judged.grows, fits.growing_noise[0]) if grows else (judged.still, fits.still_noise[0])
    still, _ = parts(judged.book, shape, int(noise), judged.y)
    start = float(judged.decision.start[0]) if grows else float(judged.x[0])
    part = judged.x >= start
    x, y = judged.x[part], (judged.y - still)[part]
    slope = theil_sen(x, y)
    drawn = bootstrap_slopes(x, y, slope, _DRAWS, settings.seed)
    tail = (1 - settings.confidence) / 2
    reach = student_quantile(1 - tail, float(fits.freedom[0])) * float(fits.error[0])
    low = slope - _CHOSEN * max(slope - float(np.quantile(drawn, tail)), reach)
    high = slope + _CHOSEN * max(float(np.quantile(drawn, 1 - tail)) - slope, reach)
    residuals = y - slope * x
    return _Rate(
        slope * judged.hour,
        (low * judged.hour, high * judged.hour),
        _per_step(judged, part, y),
        start * judged.span + judged.origin,
        slope * (1 - start),
        float(np.std(residuals)),
    )


def _per_step(judged: _Judged, part: np.ndarray, y: Floats) -> float | None:
    if judged.series.steps is None:
        return None
    ends = np.append(judged.blocks.start[1:], len(judged.series.t)) - 1
    middles = (judged.blocks.start + ends) // 2
    steps = judged.series.steps[middles][part]
    slope = theil_sen(steps, y)
    return slope if np.isfinite(slope) else None


def _smallest(judged: _Judged, settings: JudgeSettings) -> float | None:
    """The smallest linear leak that would have been found in this noise over this time, per hour."""
    fits = judged.decision.fits
    grows = judged.evidence > 0
    shape, noise = (judged.grows, fits.growing_noise[0]) if grows else (judged.still, fits.still_noise[0])
    still, growth = parts(judged.book, shape, int(noise), judged.y)
    rest = judged.y - still - growth
    freedom = max(1.0, len(rest) - shape.parameters)
    rest = (rest - rest.mean()) * (_CHOSEN * np.sqrt(len(rest) / freedom))
    seen = smallest_seen(judged.book, still, rest, int(noise), judged.limits, settings.seed)
    return None if seen is None else seen * judged.hour


def _finding(judged: _Judged, settings: JudgeSettings, samples: int, gaps: int) -> Finding:
    leak = bool(judged.decision.leak[0])
    rate = _rate(judged, leak or judged.evidence > _DOUBT, settings)
    smallest = _smallest(judged, settings)
    verdict, reason = _verdict(judged, rate, smallest, settings)
    shape = judged.grows if leak or judged.evidence > _DOUBT else judged.still
    metric = judged.series.metric
    return Finding(
        detector="trend", series=judged.series.name, layer=metric.layer, unit=metric.unit, verdict=verdict,
        leak_probability=_probability(judged), calibrated=False, rate_per_hour=rate.hour,
        rate_per_hour_ci95=rate.interval, rate_per_step=rate.step, minimum_detectable_rate_per_hour=smallest,
        shape=shape.name.split(",")[0], reason=reason, samples=samples, gaps=gaps, growth=rate.growth,
        judged_from=rate.start,
        onset=rate.start if leak and shape.name == "late onset" else None, noise=rate.noise,
    )  # fmt: skip


def _probability(judged: _Judged) -> float:
    """A fixed logistic of the weakest guard's margin."""
    return float(np.clip(1 / (1 + np.exp(-np.clip(judged.decision.margins.min(), -20, 20))), 0.001, 0.999))


def _verdict(
    judged: _Judged, rate: _Rate, smallest: float | None, settings: JudgeSettings
) -> tuple[SeriesVerdict, str]:
    unit = judged.series.metric.unit
    if judged.decision.leak[0]:
        since = f" since {format_duration(rate.start)}" if judged.grows.name == "late onset" else ""
        low, high = (format_rate(bound, unit) for bound in rate.interval)
        return "leak", f"growth of {format_rate(rate.hour, unit)}{since} ({low} to {high}) that lasts to the end"
    if smallest is None:
        return "inconclusive", "too noisy and too short: no leak, however fast, would have been seen"
    seen = f"a leak of {format_rate(smallest, unit)} would have been seen"
    if judged.evidence > _DOUBT and _immaterial(judged):
        least = format_value(judged.limits.growth, unit)
        return "pass", f"grew {format_value(judged.growth, unit)} in all, less than the {least} that count; {seen}"
    if judged.evidence > _DOUBT:
        return "inconclusive", f"growth of {format_rate(rate.hour, unit)} is not shown to last: {_weakness(judged)}"
    if (late := _late_rise(judged)) > judged.limits.growth:
        rise = format_value(late, unit)
        return "inconclusive", f"it rose by {rise} in the last third, and whether it has stopped cannot be told yet"
    return "pass", f"{_calm(judged)}; {seen}"


def _late_rise(judged: _Judged) -> float:
    """What a shape that fades or stops still rose in the last third of the trial."""
    if judged.still.name != "saturating":
        return 0.0
    still, _ = parts(judged.book, judged.still, int(judged.decision.fits.still_noise[0]), judged.y)
    return float(still[-1] - np.interp(2 / 3, judged.x, still))


def _immaterial(judged: _Judged) -> bool:
    """Whether the growth is too little or too slow to count."""
    return float(judged.decision.fits.rate[0]) < judged.limits.rate or judged.growth < judged.limits.growth


_WEAKNESSES = {
    "evidence": "a {still} would explain it about as well",
    "certainty": "its rate is too uncertain",
    "rate": "it may be slower than what counts",
    "growth": "it comes to too little yet",
    "lasting": "it fades towards the end",
    "jump": "most of it came in one jump",
    "kept": "most of it was given back",
    "rises": "it came in a few steps, as an allocator's high-water mark does",
}


def _weakness(judged: _Judged) -> str:
    worst = GUARDS[int(np.argmin(judged.decision.margins[0]))]
    return _WEAKNESSES[worst].format(still=_NOUNS[judged.still.name])


_NOUNS = {"flat": "noise that wanders", "warm-up": "warm-up", "saturating": "cache that fills", "periodic": "swing",
          "step": "step or two"}  # fmt: skip


def _calm(judged: _Judged) -> str:
    """What the series does, which is no growth, in words."""
    shape, unit = judged.still, judged.series.metric.unit
    still, _ = parts(judged.book, shape, int(judged.decision.fits.still_noise[0]), judged.y)
    change = float(still[-1] - still[0])
    said = f"{'a rise' if change > 0 else 'a fall'} of {format_value(abs(change), unit)}"
    if shape.name == "flat" or abs(change) < max(judged.limits.grain, 1e-6 * float(np.abs(judged.y).max())):
        return "flat" if shape.name != "periodic" else "swings, without growing"
    if shape.name == "step":
        at = judged.origin + judged.span * float(shape.place or 0.0)
        return f"a step of {format_value(change, unit)} at {format_duration(at)}, else flat"
    if shape.name == "periodic":
        return "swings, without growing"
    if shape.name == "warm-up":
        return f"{said} in its first {format_duration(judged.origin + judged.span * shape.settled)}, flat since"
    return f"{said} that fades: what fills or settles, and no leak"
