"""What is compared, and what comes of it: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["proportion", "amount", "change"]
"""proportion: of trials, each with a probability; amount: positive, compared by its ratio; change: may be negative."""
Direction = Literal["lower", "higher"]
Answer = Literal["lower", "higher", "alike", "undecided"]
"""Of the first side against the second. alike: the difference is within the margin; undecided: it cannot be told."""
ClaimAnswer = Literal["supported", "refuted", "undecided"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is compared, higher or lower being better."""

    name: str
    """As a claim and JSON call it: `leak_probability`."""
    words: str
    """As people read it: `leak probability`."""
    kind: Kind
    unit: str
    """bytes, bytes_per_hour, bytes_per_step, seconds, hours, per_second, or 1."""
    better: Direction
    nothing: float = 0.0
    """A difference of so much or less, in the unit, is none: of growth that is too slow to count. Where that depends on
    the speed of the trials, they tell it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One trial of one side."""

    group: str
    """What trials share whose differences are of one kind: their block, but for its seed."""
    pair: str
    """Equal in both sides for two trials of the same block that are set against each other."""
    values: Mapping[str, float]
    """By the name of the measure; of leak_probability the calibrated one. What is not known is absent."""
    deviations: Mapping[str, float] = field(default_factory=dict)
    """The standard error of a value within its trial, where it is known: that of a rate."""
    nothing: Mapping[str, float] = field(default_factory=dict)
    """By measure a difference, in its unit, that is none at the speed of this trial: of growth per step."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval. Without an interval it is of too few trials to have one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of two sides, in one group of blocks or in all of them."""

    measure: str
    group: str
    """Empty: all groups together."""
    first: Estimate
    second: Estimate
    trials: tuple[int, int]
    """Of each side."""
    pairs: int
    """Of trials that were set against each other."""
    relative: Estimate | None
    """first ÷ second − 1: −0.62 is 62 % lower. None where the second may be nothing."""
    absolute: Estimate
    """first − second, in the unit of the measure."""
    p: float | None
    """Two-sided, of no difference; None where it cannot be told."""
    adjusted_p: float | None
    """The same, by Holm's method over everything that was compared at once."""
    answer: Answer
    reason: str
    """Why it is undecided, as a clause; or empty."""
    further: int | None
    """About how many more trials a side would settle it; None where it is settled, no number would, or none is known:
    with one pair nothing is known of how much pairs differ."""
    nothing: float = 0.0
    """Of growth: a difference of so much or less, in its unit, is alike whatever the margin."""


@dataclass(frozen=True, slots=True)
class Claim:
    """`tensorflow 62% lower than torch`: of one measure of two sides."""

    first: str
    measure: str
    percent: float
    """0 for `tensorflow lower than torch`: by any amount."""
    direction: Direction
    second: str


@dataclass(frozen=True, slots=True)
class Bound:
    """`server latency_p99 at most 120 ms`: of one side; or `two throughput at least 92% of one`, of two."""

    first: str
    measure: str
    limit: Literal["at most", "at least"]
    value: float
    """In the unit of the measure; with a second side a share of that one's, 0.92."""
    second: str = ""


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """What the trials say of it."""

    claim: Claim
    answer: ClaimAnswer
    reason: str
    """One plain sentence."""
    further: int | None
    """About how many more trials a side would settle it."""
    brief: str = ""
    """Of what is undecided the reason without what was measured, as a sentence."""


@dataclass(frozen=True, slots=True)
class BoundResult:
    """What the trials say of a claim of a figure."""

    claim: Bound
    answer: ClaimAnswer
    reason: str
    """One plain sentence."""
    further: int | None
    """About how many more trials a side would settle it."""
