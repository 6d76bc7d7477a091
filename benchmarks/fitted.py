"""Numbers that turn what is found in traces of known truth into a probability: fitted to what is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from benchmarks.corpus import SETTINGS, Case, series_of
from monitors.detection import calibration
from monitors.detection.calibration import MOST_BLOCKS
from monitors.detection.detectors.trend import Trend
from monitors.model import Finding

SOFTNESS = 2.0
BREVITY = 0.2
"""How much less few samples claim, each time that 64 are halved. It is not fitted, as the corpus has no series of fewer
than 48: of 12 floors (`benchmarks.floors`), less would let fewer pass, and more find fewer leaks in coarse chunks."""


@dataclass(frozen=True)
class Judged:
    """One trace of the corpus and what was found in it."""

    case: Case
    leaks: bool
    rate: float
    found: Finding


def judge(case: Case) -> Judged:
    """Judge one trace."""
    trace, series = series_of(case)
    return Judged(case, trace.leaks, trace.rate, Trend().judge(series, SETTINGS))


def scores(judged: Sequence[Judged], slope: float, intercept: float) -> np.ndarray:
    """The score by these weights, shape (n,): the log odds, made softer, and less where there were few samples."""
    odds = np.array([one.found.evidence for one in judged])
    samples = np.minimum([one.found.samples for one in judged], MOST_BLOCKS)
    return slope * np.arcsinh(odds / SOFTNESS) + intercept - BREVITY * np.log2(MOST_BLOCKS / samples)


def counts(judged: Sequence[Judged]) -> np.ndarray:
    """The probability that the rate is one that counts, by which that of growth is multiplied, shape (n,)."""
    shipped = calibration.load()
    grown = [shipped.probability(one.found.evidence, one.found.samples) for one in judged]
    return np.minimum(np.array([one.found.leak_probability for one in judged]) / np.array(grown), 1.0)


def fit(judged: Sequence[Judged]) -> tuple[float, float]:
    """Slope and intercept by which what is told is likeliest, leaks and no leaks weighing the same."""
    leaks, weight = np.array([one.leaks for one in judged]), weights(judged)

    def unlikely(fitted: np.ndarray) -> float:
        told = np.clip(probability(judged, fitted), 1e-6, 1 - 1e-6)
        return -float(weight @ np.log(np.where(leaks, told, 1 - told)))

    slope, intercept = minimize(unlikely, (2.0, 0.0), method="L-BFGS-B").x
    return float(slope), float(intercept)


def probability(judged: Sequence[Judged], fitted: Sequence[float]) -> np.ndarray:
    """What is told: the calibrated probability of growth, times that of growth that counts."""
    return counts(judged) / (1 + np.exp(-scores(judged, *fitted)))


def left_out(judged: Sequence[Judged]) -> np.ndarray:
    """The probability of each trace by a calibration that never saw its family."""
    families = np.array([one.case.family for one in judged])
    out = np.empty(len(judged))
    for family in np.unique(families):
        held = [one for one in judged if one.case.family == family]
        out[families == family] = probability(held, fit([one for one in judged if one.case.family != family]))
    return out


def weights(judged: Sequence[Judged], most: float = np.inf) -> np.ndarray:
    """Leaks of `most` deviations at most, and no leaks, weigh the same; other leaks nothing. Shape (n,), sum 1."""
    growth = np.array([one.case.growth for one in judged])
    calm, counted = growth == 0, (growth > 0) & (growth <= most)
    return np.where(calm, 0.5 / max(calm.sum(), 1), counted * 0.5 / max(counted.sum(), 1))
