"""The smallest leak that would have been found in a series."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitors.detection.posterior import (
    fit,
    odds_of_planted,
    weigh,
)
from monitors.detection.weighed import Weighed

_SURE = 1.645
"""Standard normal deviations below which one draw in twenty lies."""
_LEAST_SHOWN = 0.1
"""Share of the growth that was found down to which slower growth is tried."""
_FASTEST, _TRIED = 1000.0, 32
"""Errors of a rate: growth this far beyond the noise is found, or none is; and how many rates up to it are tried."""


def detectable(judged: Weighed) -> float | None:
    """The smallest leak that would have been found, per hour; no more than one that was. None where none would be."""
    smallest = _smallest(judged)
    if not judged.leaks or (smallest is not None and smallest <= judged.rate.rate * judged.hour):
        return smallest
    return _shown(judged) * judged.hour


def _shown(judged: Weighed) -> float:
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


def _smallest(judged: Weighed) -> float | None:
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
