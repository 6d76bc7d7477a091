"""Trials of known truth, to be compared.

A trial's leak probability is that of a score drawn from one of two overlapping normal densities, so that it is
calibrated at the base rate of soak's own: half of the trials are easy to judge, half are hard. Amounts are log-normal,
with the effect of the block shared by a pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitors.comparison.model import Measured

EASY, HARD = 2.5, 0.8
"""Half of the distance between the scores of trials that leak and that do not, in their deviations."""
BLOCK, NOISE = 0.5, 0.05
"""Deviation of the logarithm of an amount between blocks, and of a trial within one."""


def calibrated(leaks: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """A calibrated probability of each trial that leaks, or does not, shape (n,)."""
    distance = np.where(draw.random(len(leaks)) < 0.5, EASY, HARD)
    score = draw.normal(np.where(leaks, distance, -distance))
    return 1 / (1 + np.exp(-2 * distance * score))


def trials_of(share: float, count: int, draw: np.random.Generator) -> np.ndarray:
    """Calibrated probabilities of trials of which each leaks with this probability."""
    return calibrated(draw.random(count) < share, draw)


def measured(values: Sequence[float], name: str, deviation: float = 0.0, group: str = "g") -> list[Measured]:
    """Trials of one measure; equal places are pairs."""
    return [Measured(group, str(i), {name: float(v)}, {name: deviation}) for i, v in enumerate(values)]


@dataclass(frozen=True)
class Amounts:
    """A pair of sides with a planted ratio."""

    first: np.ndarray
    second: np.ndarray
    ratio: float
    level: float
    """Geometric mean of the blocks that were run."""


def amounts(ratio: float, count: int, draw: np.random.Generator) -> Amounts:
    """Log-normal around blocks that differ by far more than trials do."""
    block = draw.normal(0, BLOCK, count)
    first, second = (np.exp(block + draw.normal(0, NOISE, count)) for _ in range(2))
    return Amounts(ratio * first, second, ratio, float(np.exp(block.mean())))
