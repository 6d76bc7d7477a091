"""The proportion of trials of which something holds, each known with a probability only.

A calibrated probability is turned into evidence: how much likelier what was seen is of a trial that leaks than of one
that does not, by the base rate that the calibration was fitted with. The proportion of a side is then weighed on a
grid, under Jeffreys' prior; two sides by the product of their posteriors. A certain trial has the probability 0 or 1.

What is *called* a difference, or beyond a bound, is held against priors that lean against it (`LEANING`, `ALONE`): with
few trials Jeffreys' own call one too often (reference: Altham 1969, the exact test as a choice of priors).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from monitors.detection.calibration import EVEN

Floats = npt.NDArray[np.float64]
LEANING = 0.3
"""By how much of a trial a prior leans: the least with which, of 1 to 40 trials a side, no true proportions were seen
at which a difference was called too often (`python -m benchmarks.comparison`)."""
ALONE = 0.35
"""The same of one side's proportion and a bound of it, of 1 to 40 trials and any bound."""
_CELLS = 1000
_ANGLES = np.linspace(0, np.pi / 2, _CELLS + 1)
_EDGES = np.sin(_ANGLES) ** 2
_MIDDLES = np.sin((_ANGLES[1:] + _ANGLES[:-1]) / 2) ** 2
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

    @property
    def none_seen(self) -> bool:
        """Whether nothing speaks against a proportion of 0."""
        return bool(self.evidence[0] > -1e-9)

    @property
    def all_seen(self) -> bool:
        """Whether nothing speaks against a proportion of 1."""
        return bool(self.evidence[-1] > -1e-9)

    @property
    def unknown(self) -> bool:
        """Whether nothing was seen of it: no trial is likelier of one kind than of the other."""
        return bool(self.evidence.min() > -1e-9)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Ends, with equal tails; 0 or 1 where nothing was seen that speaks against it."""
        tail = (1 - confidence) / 2
        low, high = (float(np.interp(p, self.below, _EDGES)) for p in (tail, 1 - tail))
        return (0.0 if self.none_seen else low), (1.0 if self.all_seen else high)

    def under(self, values: Floats) -> Floats:
        """Probability of a smaller proportion than each of `values`."""
        angles = np.arcsin(np.sqrt(np.clip(values, 0.0, 1.0))) * (2 * _CELLS / np.pi)
        return np.interp(angles, np.arange(_CELLS + 1.0), self.below)

    def not_below(self, boundary: float) -> float:
        """One-sided p of being at least `boundary`, by a prior that leans towards that."""
        return 1 - float(self.leaning(ALONE).under(np.array([boundary]))[0])

    def not_above(self, boundary: float) -> float:
        """One-sided p of being at most `boundary`, by a prior that leans towards that."""
        return float(self.leaning(-ALONE).under(np.array([boundary]))[0])

    def of(self, times: float) -> Proportion:
        """The same if so many times as many trials had come, and shown the same."""
        return _weighed(self.evidence * times)

    def leaning(self, up: float) -> Proportion:
        """The same under a prior that had seen `up` of a trial more of it and so much less of the other."""
        return _weighed(self.evidence, up)


def proportion(probabilities: Floats, base: float = EVEN) -> Proportion:
    """Of trials with these calibrated probabilities, shape (n,); base: the base rate of the calibration."""
    p = np.where((probabilities <= 0) | (probabilities >= 1), probabilities, probabilities.clip(_SURE, 1 - _SURE))
    p = np.sort(p)
    for_it, against = p / base, (1 - p) / (1 - base)
    with np.errstate(divide="ignore"):
        return _weighed(np.log(np.outer(_MIDDLES, for_it) + np.outer(1 - _MIDDLES, against)).sum(axis=1))


def _weighed(evidence: Floats, up: float = 0.0) -> Proportion:
    evidence = evidence - evidence.max()
    weights = np.exp(evidence) * _prior(up)
    weights /= weights.sum()
    return Proportion(evidence, weights, np.concatenate(([0.0], np.minimum(np.cumsum(weights), 1.0))))


@functools.lru_cache(maxsize=8)
def _prior(up: float) -> Floats:
    """Of each cell, by a Beta(1/2 + up, 1/2 - up): powers of sine and cosine of the angle, poles integrated."""
    if up == 0:
        return np.ones(_CELLS)
    return np.asarray(_pole(2 * up) * _pole(-2 * up)[::-1], dtype=np.float64)


def _pole(power: float) -> Floats:
    middles = (_ANGLES[1:] + _ANGLES[:-1]) / 2
    return np.asarray(np.diff(_ANGLES ** (power + 1)) * (np.sin(middles) / middles) ** power, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Shares:
    """Proportions of two sides, compared by their difference, or by the logarithm of their ratio."""

    first: Proportion
    second: Proportion
    by_ratio: bool = False

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Ends, with equal tails, under Jeffreys' prior. Swapped sides give exactly the same with the other sign."""
        tail = (1 - confidence) / 2
        return self._lower_end(tail), -replace(self, first=self.second, second=self.first)._lower_end(tail)

    def _lower_end(self, tail: float) -> float:
        return _solve(self.below, tail, _MOST if self.by_ratio else 1.0)

    def below(self, boundary: float) -> float:
        """Probability that it is below `boundary`, under Jeffreys' prior."""
        return self._at_least(self.second, self.first, -boundary)

    def not_below(self, boundary: float) -> float:
        """One-sided p of being at least `boundary`, by priors that lean towards that."""
        return self._at_least(self.first.leaning(LEANING), self.second.leaning(-LEANING), boundary)

    def not_above(self, boundary: float) -> float:
        """One-sided p of being at most `boundary`, by priors that lean towards that."""
        return self._at_least(self.second.leaning(LEANING), self.first.leaning(-LEANING), -boundary)

    def of(self, times: float) -> Shares:
        """The same if so many times as many trials had come, and shown the same."""
        return replace(self, first=self.first.of(times), second=self.second.of(times))

    def _at_least(self, first: Proportion, second: Proportion, boundary: float) -> float:
        """Probability that first is above second by more than `boundary`; summed both ways, so that it mirrors."""
        if self.by_ratio:
            to_first, to_second = _MIDDLES * math.exp(boundary), _MIDDLES * math.exp(-boundary)
        else:
            to_first, to_second = _MIDDLES + boundary, _MIDDLES - boundary
        one = 1 - float(second.weights @ first.under(to_first))
        other = float(first.weights @ second.under(to_second))
        return max(0.0, (one + other) / 2)


def _solve(rising: Callable[[float], float], p: float, most: float) -> float:
    low, high = -most, most
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < p else (low, middle)
    return (low + high) / 2
