"""Amounts and changes of two sides: over pairs, or over the trials of each group where there are no pairs.

Amounts are compared by the logarithm of their ratio, so that units and swapped sides change nothing; what two paired
trials share, their block, drops out. Changes may be negative and are compared by their difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monitors.comparison.model import Estimate, Measure
from monitors.comparison.pairing import Floats, Matched
from monitors.comparison.spread import Spread, of_groups, of_values

_FARTHEST = 1e9
_WIDEST = 600.0
"""Natural logarithm that is still far from where floating point ends: of two pairs an interval may be as wide."""
FEWEST = 2
"""Pairs, or trials of each side of each group, with which there is an interval."""


@dataclass(frozen=True, slots=True)
class Means:
    """Two sides of matched trials, each with what is known of its mean; amounts in natural logarithms."""

    match: Matched
    logs: bool

    def enough(self) -> bool:
        """Whether there is an interval."""
        values = [side for group in self.match.groups for side in group]
        return self.paired() or (bool(values) and all(len(each) >= FEWEST for each in values))

    def paired(self) -> bool:
        """Whether pairs are what is compared."""
        return self.match.count >= FEWEST

    def size(self) -> int:
        """How many pairs, or trials of the side that has more, are compared."""
        return self.match.count if self.paired() else self.match.size()

    def gap(self, times: float = 1.0) -> Spread:
        """first - `times` * second. Raises ValueError where there are too few trials."""
        if self.paired():
            (first, second), (one, other) = self._pairs(), self._errors()
            return of_values(first - times * second, np.hypot(one, times * other))
        if not self.enough():
            raise ValueError("expected two pairs of trials at least")
        groups = [(self._scaled(a), self._scaled(b) * times) for a, b in self.match.groups]
        return of_groups([a for a, _ in groups], [b for _, b in groups])

    def sides(self) -> tuple[Spread, Spread]:
        """Each side alone."""
        if self.paired():
            return tuple(map(of_values, self._pairs(), self._errors()))  # type: ignore[return-value]
        groups = [(self._scaled(a), self._scaled(b)) for a, b in self.match.groups]
        return of_groups([a for a, _ in groups]), of_groups([b for _, b in groups])

    def _pairs(self) -> Floats:
        return self._scaled(self.match.pairs)

    def _errors(self) -> Floats:
        return self.match.deviations / self.match.pairs if self.logs else self.match.deviations

    def _scaled(self, values: Floats) -> Floats:
        return np.asarray(np.log(values), dtype=np.float64) if self.logs else values


def _bounded(log: float) -> float:
    return max(-_WIDEST, min(_WIDEST, log))


def means(match: Matched, measure: Measure) -> Means:
    """Of a measure that is no proportion."""
    return Means(match, measure.kind == "amount")


def estimates(of: Means) -> tuple[Estimate, Estimate]:
    """Either side, with its interval where there is one: the geometric mean of an amount, the mean of a change."""
    back: Callable[[float], float] = (lambda x: math.exp(_bounded(x))) if of.logs else float
    if not of.enough():
        plain = (of._scaled(values) for values in of.match.sides())
        return tuple(Estimate(back(float(np.mean(values)))) for values in plain)  # type: ignore[return-value]
    return tuple(Estimate(*map(back, (side.mean, *side.interval()))) for side in of.sides())  # type: ignore[return-value]


def absolute(of: Means) -> Estimate:
    """first - second, in the unit of the measure."""
    if not of.enough():
        one, other = estimates(of)
        return Estimate(one.value - other.value)
    gap = of.gap()
    if not of.logs:
        return Estimate(gap.mean, *gap.interval())
    first, second = of.sides()
    return _in_units(gap, (first.mean + second.mean) / 2)


def _in_units(gap: Spread, level: float) -> Estimate:
    """A difference of logarithms as one of amounts, at the level between both sides: 2 · level · sinh(gap / 2).

    The level is as uncertain as the noise of either side makes it, half as much as the gap; what blocks differ by is no
    part of that. It widens the interval, which keeps to its side of nothing.
    """
    scale, half = 2 * math.exp(level), gap.half() * math.hypot(1.0, math.tanh(gap.mean / 2))
    value, low, high = (scale * math.sinh(_bounded(x) / 2) for x in (gap.mean, gap.mean - half, gap.mean + half))
    plain_low, plain_high = (scale * math.sinh(_bounded(x) / 2) for x in gap.interval())
    return Estimate(value, plain_low if plain_low > 0 >= low else low, plain_high if plain_high < 0 <= high else high)


def relative(of: Means) -> Estimate | None:
    """first / second - 1; of changes only where the second surely grows (reference: Fieller 1954)."""
    if of.logs:
        gap = of.gap() if of.enough() else None
        if gap is None:
            first, second = estimates(of)
            return Estimate(first.value / second.value - 1)
        return Estimate(*(math.expm1(_bounded(x)) for x in (gap.mean, *gap.interval())))
    if not grows(of):
        return None
    first_mean, second_mean = (side.mean for side in of.sides())
    ratio = first_mean / second_mean
    if abs(ratio) > _FARTHEST:
        return None
    low, high = _end(of, ratio, -1), _end(of, ratio, 1)
    return None if low is None or high is None else Estimate(ratio - 1, low - 1, high - 1)


def grows(of: Means) -> bool:
    """Whether the second side surely has a change above nothing."""
    return of.enough() and of.sides()[1].not_above(0.0) <= 0.025


def _end(of: Means, ratio: float, sign: int) -> float | None:
    """The ratio at which the interval ends: from there on, first - ratio · second is surely not nothing.

    None where it is out of sight.
    """
    near, step = ratio, sign * max(abs(ratio), 1.0) / 8
    while of.gap(near + step).beyond() > 0.05:
        near, step = near + step, 2 * step
        if abs(step) > _FARTHEST:
            return None
    far = near + step
    for _ in range(40):
        middle = (near + far) / 2
        near, far = (middle, far) if of.gap(middle).beyond() > 0.05 else (near, middle)
    return (near + far) / 2
