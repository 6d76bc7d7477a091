"""The proportion of trials of which something holds, each known with a probability only.

A calibrated probability is turned into evidence: how much likelier what was seen is of a trial that leaks than of one
that does not, by the base rate that the calibration was fitted with. The proportion of a side is then weighed on a grid,
under Jeffreys' prior; two sides by the product of their posteriors. A certain trial has the probability 0 or 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.detection.calibration import EVEN

Floats = npt.NDArray[np.float64]
_CELLS = 2000
_EDGES = np.sin(np.linspace(0, np.pi / 2, _CELLS + 1)) ** 2
_MIDDLES = np.sin((np.arange(_CELLS) + 0.5) * np.pi / (2 * _CELLS)) ** 2
"""Proportions on a grid of equal steps of their angle, on which Jeffreys' prior is flat."""
_SURE = 1e-12
"""No probability is taken for surer than this, unless it is certain."""
_MOST = 60.0
"""Natural logarithm of the largest ratio that is looked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Proportion:
    """What is known of the proportion of one side.

    evidence: log likelihood of each proportion of the grid, shape (cells,), its largest 0. weights: posterior of each,
    sum 1. below: probability of a smaller one than each edge of the grid, shape (cells + 1,).
    """

    evidence: Floats
    weights: Floats
    below: Floats

    @property
    def mean(self) -> float:
        """The expected proportion."""
        return float(self.weights @ _MIDDLES)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Ends, with equal tails; 0 or 1 where nothing was seen that speaks against it."""
        tail = (1 - confidence) / 2
        low, high = (float(np.interp(p, self.below, _EDGES)) for p in (tail, 1 - tail))
        return (0.0 if self.evidence[0] == 0 else low), (1.0 if self.evidence[-1] == 0 else high)

    def under(self, values: Floats) -> Floats:
        """Probability of a smaller proportion than each of `values`."""
        angles = np.arcsin(np.sqrt(np.clip(values, 0.0, 1.0))) * (2 * _CELLS / np.pi)
        return np.interp(angles, np.arange(_CELLS + 1.0), self.below)

    def of(self, times: float) -> Proportion:
        """The same if so many times as many trials had come, and shown the same."""
        return _weighed(self.evidence * times)


def proportion(probabilities: Floats, base: float = EVEN) -> Proportion:
    """Of trials with these calibrated probabilities, shape (n,); base: the base rate of the calibration."""
    p = np.where((probabilities <= 0) | (probabilities >= 1), probabilities, probabilities.clip(_SURE, 1 - _SURE))
    for_it, against = np.sort(p) / base, np.sort(1 - p)[::-1] / (1 - base)
    with np.errstate(divide="ignore"):
        return _weighed(np.log(np.outer(_MIDDLES, for_it) + np.outer(1 - _MIDDLES, against)).sum(axis=1))


def _weighed(evidence: Floats) -> Proportion:
    evidence = evidence - evidence.max()
    weights = np.exp(evidence)
    weights /= weights.sum()
    return Proportion(evidence, weights, np.concatenate(([0.0], np.minimum(np.cumsum(weights), 1.0))))


def less_by(first: Proportion, second: Proportion, difference: float) -> float:
    """Probability that first - second is below `difference`."""
    one = float(second.weights @ first.under(_MIDDLES + difference))
    other = float(first.weights @ second.under(_MIDDLES - difference))
    return (one + 1 - other) / 2


def less_than_times(first: Proportion, second: Proportion, log_ratio: float) -> float:
    """Probability that first / second is below exp(log_ratio)."""
    one = float(second.weights @ first.under(_MIDDLES * math.exp(log_ratio)))
    other = float(first.weights @ second.under(_MIDDLES * math.exp(-log_ratio)))
    return (one + 1 - other) / 2


def difference_interval(first: Proportion, second: Proportion, confidence: float = 0.95) -> tuple[float, float]:
    """Ends of first - second, with equal tails."""
    tail = (1 - confidence) / 2
    return tuple(_solve(lambda x: less_by(first, second, x), p, 1.0) for p in (tail, 1 - tail))  # type: ignore[return-value]


def log_ratio_interval(first: Proportion, second: Proportion, confidence: float = 0.95) -> tuple[float, float]:
    """Ends of log(first / second), with equal tails."""
    tail = (1 - confidence) / 2
    return tuple(_solve(lambda x: less_than_times(first, second, x), p, _MOST) for p in (tail, 1 - tail))  # type: ignore[return-value]


def _solve(rising: Callable[[float], float], p: float, most: float) -> float:
    low, high = -most, most
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < p else (low, middle)
    return (low + high) / 2
