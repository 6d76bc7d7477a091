"""Two sides set against each other, measure by measure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitors.comparison.chance import holm
from monitors.comparison.further import Gap, apart, further, with_power, within
from monitors.comparison.means import Means, absolute, estimates, means, relative
from monitors.comparison.model import Difference, Estimate, Measure, Measured
from monitors.comparison.pairing import Matched, matched
from monitors.comparison.proportions import Proportion, Shares, proportion
from monitors.comparison.spread import Spread
from monitors.comparison.words import span

MARGIN = 0.05
"""Of amounts and growth, relative; of probabilities, absolute: differences up to it make no difference."""
LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class _Compared:
    """A difference before it is corrected for all others; gap: None where there are too few trials for an interval."""

    measure: Measure
    found: Difference
    gap: Spread | Shares | None
    margin: float
    """In the unit of the gap."""
    size: int
    """Pairs, or trials of a side, of which more narrow the interval."""

    def times(self, times: float) -> Spread | Shares:
        """The gap, of so many times as many trials."""
        assert self.gap is not None
        return self.gap.of(times)


def compare(
    first: Sequence[Measured],
    second: Sequence[Measured],
    measures: Iterable[Measure],
    margin: float = MARGIN,
    ask_further: bool = True,
) -> list[Difference]:
    """By measure: of all groups together (`group` is empty), then, where there are several, of each.

    A measure or group that not both sides tell is absent. p is corrected over all that is returned. A difference is
    called lower or higher by that, alike where it is surely within `margin`, even if it is surely not nothing.
    ask_further: whether to work out how many more trials would settle what is undecided, which takes most of the time.
    """
    return compare_each([(first, second)], measures, margin, ask_further)[0]


def compare_each(
    pairs: Sequence[tuple[Sequence[Measured], Sequence[Measured]]],
    measures: Iterable[Measure],
    margin: float = MARGIN,
    ask_further: bool = True,
) -> list[list[Difference]]:
    """As `compare`, of several pairs of sides that are compared at once: p is corrected over all of them.

    How many more trials would settle one is worked out at the level that Holm's method holds it to if it alone becomes
    surer: `LEVEL` over the number of those that are no difference yet, itself counted. Reference: Holm 1979.
    """
    chosen = list(measures)
    each = [_of_sides(first, second, chosen, margin) for first, second in pairs]
    every = [one for compared in each for one in compared]
    family = _Family.of(holm([one.found.p for one in every]))
    told = iter([_answered(one, p, family, ask_further) for one, p in zip(every, family.adjusted, strict=True)])
    return [[next(told) for _ in compared] for compared in each]


def _of_sides(
    first: Sequence[Measured], second: Sequence[Measured], measures: Sequence[Measure], margin: float
) -> list[_Compared]:
    compared = []
    for measure in measures:
        whole = matched(first, second, measure)
        if not whole.groups:
            continue
        compared.append(_compared(measure, "", whole, margin))
        groups = sorted({t.group for t in first} & {t.group for t in second}) if len(whole.groups) > 1 else []
        for group in groups:
            own = matched(_of(first, group), _of(second, group), measure)
            if own.groups:
                compared.append(_compared(measure, group, own, margin))
    return compared


def _of(side: Sequence[Measured], group: str) -> list[Measured]:
    return [trial for trial in side if trial.group == group]


@dataclass(frozen=True, slots=True)
class _Family:
    """All that is compared at once. adjusted: of each its corrected p, None where it has none."""

    adjusted: Sequence[float | None]
    size: int
    """How many have one."""
    open: int
    """How many of these are no difference yet."""

    @classmethod
    def of(cls, adjusted: Sequence[float | None]) -> _Family:
        known = [p for p in adjusted if p is not None]
        return cls(adjusted, len(known), sum(p > LEVEL for p in known))


def _compared(measure: Measure, group: str, match: Matched, margin: float) -> _Compared:
    if measure.kind == "proportion":
        return _of_proportions(measure, group, match, margin)
    of = means(match, measure)
    first, second = estimates(of)
    gap = of.gap() if of.enough() else None
    found = Difference(
        measure.name, group, first, second, match.trials, match.count, relative(of), absolute(of),
        None if gap is None else gap.beyond(), None, "undecided", "", None, max(measure.nothing, match.nothing),
    )  # fmt: skip
    return _Compared(measure, found, gap, _margin(of, margin, found.nothing), of.size())


def _margin(of: Means, margin: float, nothing: float) -> float:
    """Of logarithms; of changes in their unit, relative to the larger one, `nothing` at least."""
    if of.logs:
        return math.log1p(margin)
    larger = max(abs(side.value) for side in estimates(of))
    return max(margin * larger, nothing)


def proportions(match: Matched) -> tuple[Proportion, Proportion]:
    """Of both sides."""
    first, second = match.sides()
    return proportion(np.clip(first, 0.0, 1.0)), proportion(np.clip(second, 0.0, 1.0))


def _of_proportions(measure: Measure, group: str, match: Matched, margin: float) -> _Compared:
    first, second = proportions(match)
    gap, ratio = Shares(first, second), Shares(first, second, by_ratio=True)
    times = None
    if not second.none_seen:
        times = Estimate(first.mean / second.mean - 1, *map(math.expm1, ratio.interval()))
    found = Difference(
        measure.name, group, Estimate(first.mean, *first.interval()), Estimate(second.mean, *second.interval()),
        match.trials, match.count, times, Estimate(first.mean - second.mean, *gap.interval()),
        min(1.0, 2 * min(gap.not_below(0.0), gap.not_above(0.0))), None, "undecided", "", None,
    )  # fmt: skip
    return _Compared(measure, found, gap, margin, match.size())


def _answered(one: _Compared, adjusted: float | None, family: _Family, ask_further: bool) -> Difference:
    found = replace(one.found, adjusted_p=adjusted)
    if one.gap is None or found.p is None or adjusted is None:
        return replace(found, reason=_too_few(found))
    if within(one.gap, LEVEL, one.margin):
        return replace(found, answer="alike")
    if adjusted <= LEVEL:
        return replace(found, answer="lower" if one.gap.not_below(0.0) < 0.5 else "higher")
    found = replace(found, reason=_undecided(one, found, family))
    if not ask_further:
        return found
    more = further(lambda times: _would_tell(one.times(times), one.margin, family), one.size)
    return replace(found, further=more)


def _would_tell(gap: Gap, margin: float, family: _Family) -> bool:
    return apart(gap, 2 * with_power(LEVEL / family.open / 2)) or within(gap, with_power(LEVEL), margin)


def _too_few(found: Difference) -> str:
    if found.pairs == 1:
        return "one pair of trials gives no interval"
    return "no trial of one side has its partner in the other, and there are too few without"


def _undecided(one: _Compared, found: Difference, family: _Family) -> str:
    if found.p is not None and found.p <= LEVEL:
        return f"it would count alone, but among {family.size} comparisons one may look so by chance"
    if isinstance(one.gap, Shares):
        first, second = one.gap.first, one.gap.second
        if first.unknown or second.unknown:
            return f"the trials of one side at least do not tell their {one.measure.words}"
        for seen, end in ((first.none_seen and second.none_seen, 0), (first.all_seen and second.all_seen, 1)):
            if seen:
                return f"the {one.measure.words} of both is near {end}, as far as so few trials tell"
    return f"{span(found, one.measure)} would fit what was seen"
