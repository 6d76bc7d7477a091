"""Two sides set against each other, measure by measure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from monitors.comparison.model import Difference, Estimate, Measure, Measured
from monitors.comparison.pairing import Matched, matched
from monitors.comparison.proportions import difference_interval, less_by, log_ratio_interval, proportion
from monitors.comparison.spread import of_values

MARGIN = 0.05


def compare(
    first: Sequence[Measured], second: Sequence[Measured], measures: Iterable[Measure], margin: float = MARGIN
) -> list[Difference]:
    """By measure, of all groups together and, where there are several, of each."""
    groups = sorted({t.group for t in first} & {t.group for t in second})
    found = []
    for measure in measures:
        for group in ["", *(groups if len(groups) > 1 else [])]:
            own = [[t for t in side if not group or t.group == group] for side in (first, second)]
            match = matched(own[0], own[1], measure)
            if len(match.first) and len(match.second):
                found.append(_difference(measure, group, match, margin))
    ordered = sorted((d.p for d in found if d.p is not None))
    return [_adjusted(d, ordered) for d in found]


def _adjusted(found: Difference, ordered: list[float]) -> Difference:
    if found.p is None:
        return found
    rank = ordered.index(found.p)
    p = min(1.0, max((len(ordered) - i) * ordered[i] for i in range(rank + 1)))
    if p <= 0.05 and found.answer != "alike":
        return replace(found, adjusted_p=p, reason="", answer="lower" if found.absolute.value < 0 else "higher")
    return replace(found, adjusted_p=p)


def _difference(measure: Measure, group: str, match: Matched, margin: float) -> Difference:
    trials, pairs = (len(match.first), len(match.second)), match.pairs.shape[1]
    if measure.kind == "proportion":
        a, b = proportion(match.first), proportion(match.second)
        below = less_by(a, b, 0.0)
        ends, tost = difference_interval(a, b), difference_interval(a, b, 0.9)
        low, high = np.expm1(log_ratio_interval(a, b))
        alike = max(map(abs, tost)) <= margin
        return Difference(
            measure.name, group, Estimate(a.mean, *a.interval()), Estimate(b.mean, *b.interval()), trials, pairs,
            Estimate(a.mean / b.mean - 1, float(low), float(high)) if b.interval()[0] > 0 else None,
            Estimate(a.mean - b.mean, *ends), 2 * min(below, 1 - below), None,
            "alike" if alike else "undecided", "" if alike else "the interval holds both directions", None,
        )  # fmt: skip
    amounts = measure.kind == "amount"
    sides = [np.log(v) if amounts else v for v in match.pairs]
    if pairs < 2:
        each = [Estimate(float(np.mean(v))) for v in (match.first, match.second)]
        return Difference(
            measure.name, group, each[0], each[1], trials, pairs, None, Estimate(each[0].value - each[1].value),
            None, None, "undecided", "one pair of trials gives no interval", 1,
        )  # fmt: skip
    spread, own = of_values(sides[0] - sides[1]), [of_values(side) for side in sides]
    low, high = spread.interval()
    if amounts:
        level = np.exp((own[0].mean + own[1].mean) / 2)
        absolute = Estimate(*(float(2 * level * np.sinh(x / 2)) for x in (spread.mean, low, high)))
        relative = Estimate(*(float(np.expm1(x)) for x in (spread.mean, low, high)))
        each = [Estimate(*(float(np.exp(x)) for x in (s.mean, *s.interval()))) for s in own]
        alike = max(map(abs, spread.interval(0.9))) <= np.log1p(margin)
    else:
        absolute, relative, alike = Estimate(spread.mean, low, high), None, False
        each = [Estimate(s.mean, *s.interval()) for s in own]
    return Difference(
        measure.name, group, each[0], each[1], trials, pairs, relative, absolute, spread.beyond(), None,
        "alike" if alike else "undecided", "" if alike else "the interval holds both directions", None,
    )  # fmt: skip
