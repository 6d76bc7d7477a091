"""A claim, held against the trials of its two sides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from monitors.comparison.further import Gap, further, with_power
from monitors.comparison.grammar import parse, show
from monitors.comparison.means import Means, grows, means
from monitors.comparison.measures import named
from monitors.comparison.model import Claim, ClaimResult, Measure, Measured
from monitors.comparison.pairing import matched
from monitors.comparison.proportions import Shares
from monitors.comparison.spread import Spread
from monitors.comparison.statistics import compare, proportions
from monitors.comparison.words import by, estimated, span

__all__ = ["hold", "parse", "show"]

_TAIL = 0.025
"""One-sided: what the ends of a 95 % interval stand for."""


@dataclass(frozen=True, slots=True)
class _Held:
    """gap: of the two sides, as far as it is above or below `boundary`, which is where the claim begins to hold."""

    gap: Spread | Shares
    boundary: float
    lower: bool
    trials: int

    def for_it(self, gap: Gap) -> float:
        """One-sided p of the claim being false."""
        return gap.not_below(self.boundary) if self.lower else gap.not_above(self.boundary)

    def against(self, gap: Gap) -> float:
        """One-sided p of the claim being true."""
        return gap.not_above(self.boundary) if self.lower else gap.not_below(self.boundary)

    def further(self) -> int | None:
        """How many more trials a side would tell."""
        level = with_power(_TAIL)

        def settled(times: float) -> bool:
            more = self.gap.of(times)
            return min(self.for_it(more), self.against(more)) <= level

        return further(settled, self.trials)


def hold(claim: Claim, first: Sequence[Measured], second: Sequence[Measured]) -> ClaimResult:
    """Supported where the whole 95 % interval agrees with it, refuted where none of it does, over all groups together.

    first, second: trials of the sides in the order in which the claim names them. `62% lower` is read as 62 % or more.
    """
    measure = named(claim.measure)
    match = matched(first, second, measure)
    if not match.groups:
        return _undecided(claim, f"no two trials of both sides that may be compared tell the {measure.words}", None)
    if measure.kind == "proportion":
        sides = proportions(match)
        held = _held(claim, Shares(*sides, by_ratio=True), _log_boundary(claim), match.size())
        seen = _told(claim, measure, first, second)
        if sides[0].none_seen and sides[1].none_seen and held.for_it(held.gap) > _TAIL < held.against(held.gap):
            return _undecided(claim, f"{seen}: {_neither(measure)}", held.further(), _neither(measure))
        return _answered(claim, held, seen)
    return _of_means(claim, measure, means(match, measure), first, second)


def _of_means(
    claim: Claim, measure: Measure, of: Means, first: Sequence[Measured], second: Sequence[Measured]
) -> ClaimResult:
    seen = _told(claim, measure, first, second)
    if not of.enough():
        why = (
            "one pair of trials gives no interval" if of.match.count == 1 else "there are too few trials of both sides"
        )
        return _undecided(claim, f"{seen}: {why}", None, why)
    trials = of.size()
    if of.logs:
        return _answered(claim, _held(claim, of.gap(), _log_boundary(claim), trials), seen)
    if claim.percent and not grows(of):
        why = f"{claim.second} may not grow at all, and nothing is {claim.percent:g} % of that"
        return _undecided(claim, f"{seen}: {why}", None, why)
    return _answered(claim, _held(claim, of.gap(_times(claim)), 0.0, trials), seen)


def _held(claim: Claim, gap: Spread | Shares, boundary: float, trials: int) -> _Held:
    return _Held(gap, boundary, claim.direction == "lower", trials)


def _times(claim: Claim) -> float:
    """What the first side is of the second where the claim begins to hold."""
    return 1 + (-1 if claim.direction == "lower" else 1) * claim.percent / 100


def _log_boundary(claim: Claim) -> float:
    return math.log(_times(claim))


def _answered(claim: Claim, held: _Held, seen: str) -> ClaimResult:
    claimed = f"{claim.percent:g} % {claim.direction}" if claim.percent else claim.direction
    more = " or more" if claim.percent else ""
    if held.for_it(held.gap) <= _TAIL:
        return ClaimResult(claim, "supported", f"{_sentence(seen)}, so it is {claimed}{more}.", None)
    if held.against(held.gap) <= _TAIL:
        return ClaimResult(claim, "refuted", f"{_sentence(seen)}, so it is not {claimed}.", None)
    open_ = f"whether it is {claimed}{more} cannot be told"
    return _undecided(claim, f"{seen}, so {claimed} may be true or not", held.further(), open_)


def _undecided(claim: Claim, reason: str, more: int | None, brief: str = "") -> ClaimResult:
    return ClaimResult(claim, "undecided", f"{_sentence(reason)}.", more, f"{_sentence(brief or reason)}.")


def _told(claim: Claim, measure: Measure, first: Sequence[Measured], second: Sequence[Measured]) -> str:
    """What was measured of either side, and of the one against the other."""
    found = compare(first, second, [measure], ask_further=False)[0]
    sides = (
        f"the {measure.words} of {claim.first} is {estimated(found.first, measure)}, "
        f"that of {claim.second} {estimated(found.second, measure)}"
    )
    if found.relative is None or found.relative.low is None:
        return sides
    return f"{sides}: {by(found.relative.value)} ({span(found, measure)}, 95 % interval)"


def _neither(measure: Measure) -> str:
    if measure.name == "leak_probability":
        return "no trial of either side looks like a leak, so that neither can be said to leak less often"
    return "no trial of either side had any, so that neither can be said to have fewer"


def _sentence(clause: str) -> str:
    return clause[0].upper() + clause[1:]
