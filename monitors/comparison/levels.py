"""A level that runs kept, and the difference between two, each with its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from monitors.comparison.model import Estimate, Kind
from monitors.comparison.places import Floats
from monitors.comparison.proportions import Proportion, Shares, proportion
from monitors.comparison.spread import Spread

_CERTAIN = 0.01
"""A probability is taken for no less than this, and no more than what it leaves of 1."""


class Level(Protocol):
    """What is known of the level of some runs."""

    def level(self) -> Estimate:
        """It, in the unit of its measure."""
        ...

    def since(self, before: Self) -> tuple[Estimate | None, Estimate]:
        """It ÷ the one before − 1, of amounts; and it − the one before."""
        ...


def scaled(kind: Kind, values: Floats) -> Floats:
    """Values on the scale on which they are judged: of amounts logarithms, of proportions log odds."""
    if kind == "amount":
        return np.log(values)
    if kind == "proportion":
        bounded = np.clip(values, _CERTAIN, 1 - _CERTAIN)
        return np.asarray(np.log(bounded / (1 - bounded)))
    return np.asarray(values, dtype=np.float64)


def levels(
    kind: Kind, trials: Sequence[Floats], judged: Floats, regular: npt.NDArray[np.bool_], parts: Sequence[slice]
) -> Sequence[Level]:
    """Of each part of a course.

    Args:
        kind: of the measure.
        trials: of each run, the values of its trials, shape (trials,) each. Of proportions every trial of a part
            counts: what a few of them surely are is lost in the mean of a run.
        judged: the means of runs as `scaled`, without outlying runs, shape (runs,).
        regular: which runs are not outlying; of amounts and changes only they count, where a part has any.
        parts: stretches of runs, one after the other, that make up the course.
    """
    if kind == "proportion":
        return [_Share(proportion(np.concatenate(trials[part]))) for part in parts]
    told = [judged[part][regular[part]] if regular[part].any() else judged[part] for part in parts]
    freedom = sum(len(each) - 1 for each in told)
    squares = sum(float(((each - each.mean()) ** 2).sum()) for each in told)
    deviation = math.sqrt(squares / freedom) if freedom else 0.0
    return [_Mean(kind == "amount", float(each.mean()), len(each), deviation, freedom) for each in told]


@dataclass(frozen=True, slots=True)
class _Share:
    """Of trials that leak, or break, with some probability each."""

    posterior: Proportion

    def level(self) -> Estimate:
        return Estimate(self.posterior.mean, *self.posterior.interval())

    def since(self, before: _Share) -> tuple[None, Estimate]:
        ends = Shares(self.posterior, before.posterior).interval()
        return None, Estimate(self.posterior.mean - before.posterior.mean, *ends)


@dataclass(frozen=True, slots=True)
class _Mean:
    """On the scale on which it is judged. deviation: of one run, by the scatter about all levels of its course."""

    ratio: bool
    mean: float
    runs: int
    deviation: float
    freedom: int

    def level(self) -> Estimate:
        return _mapped(math.exp if self.ratio else float, self._told(self.mean, 1 / self.runs))

    def since(self, before: _Mean) -> tuple[Estimate | None, Estimate]:
        moved = self._told(self.mean - before.mean, 1 / self.runs + 1 / before.runs)
        if not self.ratio:
            return None, moved
        middle = math.exp((self.mean + before.mean) / 2)
        return _mapped(math.expm1, moved), _mapped(lambda x: 2 * middle * math.sinh(x / 2), moved)

    def _told(self, value: float, variance: float) -> Estimate:
        if not self.freedom:
            return Estimate(value)
        return Estimate(value, *Spread(value, self.deviation * math.sqrt(variance), self.freedom).interval())


def _mapped(rising: Callable[[float], float], of: Estimate) -> Estimate:
    low, high = (None if end is None else rising(end) for end in (of.low, of.high))
    return Estimate(rising(of.value), low, high)
