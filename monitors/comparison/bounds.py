"""Claims of a figure: of one side alone, `server latency_p99 at most 120 ms`, or a share, `two at least 92% of one`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, cast

import numpy as np

from monitors.comparison.further import Gap, apart, further, with_power
from monitors.comparison.means import means
from monitors.comparison.measures import named
from monitors.comparison.model import Bound, BoundResult, ClaimAnswer, Estimate, Measure, Measured
from monitors.comparison.pairing import Floats, matched
from monitors.comparison.proportions import Proportion, Shares, proportion
from monitors.comparison.spread import of_values
from monitors.comparison.statistics import compare, proportions
from monitors.comparison.words import between, share_between, shown

EXPECTED = "SIDE MEASURE at most|at least NUMBER UNIT, or SIDE MEASURE at most|at least N% of SIDE"
_UNITS = {
    "bytes": {"B": 1.0, "KB": 1e3, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30},
    "seconds": {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0},
    "hours": {"min": 1 / 60, "h": 1.0, "d": 24.0},
    "per_second": {"/s": 1.0},
    "1": {"": 1.0, "%": 0.01},
}
_UNITS["bytes_per_hour"] = {f"{name}/h": size for name, size in _UNITS["bytes"].items()}
_UNITS["bytes_per_step"] = _UNITS["bytes"]
TAIL = 0.025
"""One-sided: what the ends of a 95 % interval stand for."""
_FORM = re.compile(r"\s*(\S+)\s+(.+?)\s+at (most|least)\s+([0-9.]+)\s*([^\s0-9]*)(?:\s+of\s+(\S+))?\s*")


def is_bound(text: str) -> bool:
    """Whether a claim is of this kind, right or wrong; `at least 62% lower than` is none."""
    said = f" {' '.join(text.split())} "
    return (" at most " in said or " at least " in said) and " than " not in said


def parse_bound(text: str) -> Bound:
    """Read a claim of a figure.

    Raises:
        ValueError: it is none; says what was expected.
    """
    found = _FORM.fullmatch(" ".join(text.split()))
    if not found:
        raise ValueError(f"expected `{EXPECTED}`, not `{text}`")
    first, words, limit, number, unit, second = found.groups()
    measure = named(words)
    units = {"%": 0.01} if second else _UNITS[measure.unit]
    if unit not in units:
        known = ", ".join(name or "no unit" for name in units)
        raise ValueError(f"expected {known} after {number} in `{text}`, not `{unit}`")
    try:
        value = float(number) * units[unit]
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise ValueError(f"expected a number, not `{number}`")
    return Bound(first, measure.name, cast(Literal["at most", "at least"], f"at {limit}"), value, second or "")


def of_side(measure: Measure, trials: Sequence[Measured]) -> tuple[Estimate, int] | None:
    """What a side has of a measure, its mean (geometric, of amounts) with a 95 % interval, and of how many trials.

    None where no trial tells it.
    """
    values, within = _values(measure, trials)
    if not len(values):
        return None
    if measure.kind == "proportion":
        share = proportion(values)
        return Estimate(share.mean, *share.interval()), len(values)
    mean = float(np.mean(values))
    ends = of_values(values, within).interval() if len(values) > 1 else ()
    known = [math.exp(x) for x in (mean, *ends)] if measure.kind == "amount" else [mean, *ends]
    return Estimate(*known), len(values)


def _values(measure: Measure, trials: Sequence[Measured]) -> tuple[Floats, Floats | None]:
    """Of the trials that tell it, and the error within each, both shape (n,); amounts in natural logarithms."""
    told = [trial for trial in trials if math.isfinite(trial.values.get(measure.name, math.nan))]
    values = np.array([trial.values[measure.name] for trial in told])
    if measure.kind == "amount":
        return np.log(values[values > 0]), None
    return values, np.array([trial.deviations.get(measure.name, 0.0) for trial in told])


def hold_bound(claim: Bound, first: Sequence[Measured], second: Sequence[Measured] = ()) -> BoundResult:
    """Hold a claim of a figure against the trials of its side, or of both.

    It is supported where the whole 95 % interval keeps the bound, refuted where none of it does; of a proportion, where
    priors that lean against that agree.
    """
    measure = named(claim.measure)
    found = _share(claim, measure, first, second) if claim.second else of_side(measure, first)
    if found is None:
        found = f"No trial tells its {measure.words}."
    if isinstance(found, str):
        return BoundResult(claim, "undecided", found, None)
    known, count = found
    if known.low is None or known.high is None:
        one = "One pair of trials" if claim.second else "One trial"
        return BoundResult(claim, "undecided", f"{one} gives no interval.", None)
    answer = _by_interval(claim, known.low, known.high)
    leaning = _Leaning.of(claim, measure, first, second) if measure.kind == "proportion" else None
    said = _said(claim, measure, known, answer)
    if answer != "undecided" and (leaning is None or leaning.agrees(answer)):
        return BoundResult(claim, answer, said, None)
    more = _further(claim, measure, first, second, count) if leaning is None else leaning.further(known, count)
    return BoundResult(claim, "undecided", said if answer == "undecided" else _ONE_SIDED, more)


def _said(claim: Bound, measure: Measure, known: Estimate, answer: ClaimAnswer) -> str:
    """The interval and the bound, and how the one lies to the other."""
    assert known.low is not None
    assert known.high is not None
    if claim.second:
        ends, bound = share_between(known.low, known.high), f"{100 * claim.value:g} % of {claim.second}"
    else:
        ends, bound = between(known.low, known.high, measure), shown(claim.value, measure)
    match answer:
        case "supported":
            return f"All of the 95 % interval, {ends}, is {claim.limit} {bound}."
        case "refuted":
            return f"None of the 95 % interval, {ends}, is {claim.limit} {bound}."
        case _:
            return f"The 95 % interval, {ends}, has {bound} within it."


_ONE_SIDED = "With so few trials the answer hangs on what is assumed before any is seen."


def _by_interval(claim: Bound, low: float, high: float) -> ClaimAnswer:
    if claim.limit == "at most":
        return "supported" if high <= claim.value else "refuted" if low > claim.value else "undecided"
    return "supported" if low >= claim.value else "refuted" if high < claim.value else "undecided"


@dataclass(frozen=True, slots=True)
class _Leaning:
    """A proportion, or the ratio of two, and the bound in its terms, held to priors that lean against an answer."""

    claim: Bound
    gap: Proportion | Shares
    boundary: float

    @classmethod
    def of(cls, claim: Bound, measure: Measure, first: Sequence[Measured], second: Sequence[Measured]) -> _Leaning:
        if claim.second:
            gap = Shares(*proportions(matched(first, second, measure)), by_ratio=True)
            return cls(claim, gap, math.log(claim.value) if claim.value else -math.inf)
        return cls(claim, proportion(_values(measure, first)[0]), claim.value)

    def agrees(self, answer: ClaimAnswer) -> bool:
        """Whether it is that by such priors too."""
        return self._p(self.gap, answer) <= TAIL

    def further(self, known: Estimate, count: int) -> int | None:
        """About how many more trials a side would tell it. Which way, is what they show so far."""
        keeps = (known.value <= self.claim.value) is (self.claim.limit == "at most")
        likely: ClaimAnswer = "supported" if keeps else "refuted"
        return further(lambda times: self._p(self.gap.of(times), likely) <= with_power(TAIL), count)

    def _p(self, gap: Proportion | Shares, answer: ClaimAnswer) -> float:
        """One-sided p of the answer being wrong."""
        below = (answer == "supported") is (self.claim.limit == "at most")
        return gap.not_below(self.boundary) if below else gap.not_above(self.boundary)


def _share(
    claim: Bound, measure: Measure, first: Sequence[Measured], second: Sequence[Measured]
) -> tuple[Estimate, int] | str:
    """first ÷ second over their pairs, and how many there are; or why there is none, as a sentence."""
    found = compare(first, second, [measure], ask_further=False)
    if not found:
        return f"No two trials of both sides tell the {measure.words}."
    relative = found[0].relative
    if relative is None:
        return f"The {measure.words} of {claim.second} may be nothing, and nothing is a share of that."
    ends = [None if end is None else 1 + end for end in (relative.low, relative.high)]
    return Estimate(1 + relative.value, *ends), found[0].pairs or min(found[0].trials)


def _further(
    claim: Bound, measure: Measure, first: Sequence[Measured], second: Sequence[Measured], count: int
) -> int | None:  # fmt: skip
    """About how many more trials a side would leave the bound outside of the interval in four of five repetitions; of
    what is no proportion."""
    found = _gap_of_share(claim, measure, first, second) if claim.second else _gap_of_side(claim, measure, first)
    if found is None:
        return None
    gap, boundary = found
    level = with_power(TAIL)
    return further(lambda times: apart(gap.of(times), 2 * level, boundary), count)


def _gap_of_side(claim: Bound, measure: Measure, trials: Sequence[Measured]) -> tuple[GrowingGap, float] | None:
    """What is known of a side, and the bound in the same terms."""
    values, within = _values(measure, trials)
    if measure.kind == "amount":
        return (of_values(values), math.log(claim.value)) if claim.value > 0 else None
    return of_values(values, within), claim.value


def _gap_of_share(
    claim: Bound, measure: Measure, first: Sequence[Measured], second: Sequence[Measured]
) -> tuple[GrowingGap, float] | None:  # fmt: skip
    """What is known of one side against the other, and the bound in the same terms."""
    match = matched(first, second, measure)
    if measure.kind == "change":
        return means(match, measure).gap(claim.value), 0.0
    if claim.value <= 0:
        return None
    return means(match, measure).gap(), math.log(claim.value)


class GrowingGap(Gap, Protocol):
    """What is known of how far it is to a bound, and what would be of more trials."""

    def of(self, times: float) -> Gap:
        """The same of so many times as many trials."""
