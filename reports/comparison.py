"""Sides that were compared → the JSON document, plain values. Unknown is null, never 0.

The shape is `reports/schema/soak.comparison-1.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from monitors.comparison.measures import MEASURES, OF_CLAIMS
from monitors.comparison.model import ClaimResult, Difference, Estimate, Measured
from monitors.text import json_value
from reports import comparison_words as words

SCHEMA = "soak.comparison/1"
_OF_A_MEASURE = ("name", "words", "kind", "unit", "better")


@dataclass(frozen=True, slots=True)
class SideTold:
    """A side: what it is called, what it is, and which runs its trials are of."""

    name: str
    trials: int
    runs: Sequence[str]
    facts: Mapping[str, Sequence[str]]
    """Versions and whatever else is worth telling of it, each with all values that its trials have."""


@dataclass(frozen=True, slots=True)
class GroupTold:
    """Blocks that are equal but for their seed."""

    name: str
    title: str
    sources: Mapping[str, str]
    """By measure, what it was read from."""


@dataclass(frozen=True, slots=True)
class OneSidedTold:
    """A measure of trials that leak, where not both sides have such: what each tells of it. The first side first."""

    measure: str
    group: str
    """Empty: all groups together."""
    told: tuple[tuple[Estimate, int] | None, tuple[Estimate, int] | None]
    """Its estimate, and of how many trials; None where no trial tells it."""
    leaking: tuple[int | None, int | None]
    """How many trials leak; None where that is not known."""


@dataclass(frozen=True, slots=True)
class PairTold:
    """Two sides set against each other: the first is what is told of, the second what it is held against."""

    first: str
    second: str
    differences: Sequence[Difference]
    groups: Sequence[GroupTold]
    unequal: Mapping[str, tuple[Sequence[str], Sequence[str]]]
    """Facts in which their trials differ beyond what is compared: by name, the values of each side."""
    measured: Sequence[tuple[str, str, str, Measured]]
    """Each trial: its side, its run, its name, what it measured."""
    one_sided: Sequence[OneSidedTold] = ()


@dataclass(frozen=True, slots=True)
class ClaimTold:
    """A claim as it was given, and what the trials say of it."""

    text: str
    result: ClaimResult


def build(
    by: str, margin: float, sides: Sequence[SideTold], pairs: Sequence[PairTold], claims: Sequence[ClaimTold],
    left_out: Sequence[str], notes: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """The whole comparison.

    Args:
        by: what sides differ in.
        margin: relative difference, and difference of probabilities, up to which two sides are alike.
        sides: in their order.
        pairs: that were compared.
        claims: that were held against the trials.
        left_out: what does not count, each kind in a sentence.
        notes: what else has to be told.
    """
    comparisons = [_pair(pair, margin) for pair in pairs]
    body: dict[str, Any] = json_value({
        "schema": SCHEMA,
        "by": by,
        "margin": margin,
        "sentence": " ".join([*(_claimed(claim) for claim in claims), *(one["sentence"] for one in comparisons)]),
        "sides": [asdict(side) for side in sides],
        "measures": [{name: getattr(measure, name) for name in _OF_A_MEASURE} for measure in MEASURES
                     if measure.name not in OF_CLAIMS],
        "comparisons": comparisons,
        "claims": [_claim(claim) for claim in claims],
        "left_out": list(left_out),
        "notes": list(notes),
    })  # fmt: skip
    return body


def _pair(pair: PairTold, margin: float) -> dict[str, Any]:
    differences = [_difference(one) for one in pair.differences]
    told = {
        "first": pair.first,
        "second": pair.second,
        "groups": [asdict(group) for group in pair.groups],
        "unequal": [
            {"name": name, "first": list(one), "second": list(other)} for name, (one, other) in pair.unequal.items()
        ],
        "differences": differences,
        "one_sided": [_one_sided(one) for one in pair.one_sided],
        "trials": [
            {"side": side, "run": run, "name": name, "group": one.group, "pair": one.pair,
             "values": dict(one.values), "deviations": dict(one.deviations)}
            for side, run, name, one in pair.measured
        ],
    }  # fmt: skip
    return {**told, "sentence": words.sentence(told, margin)}


def _difference(found: Difference) -> dict[str, Any]:
    return {
        "measure": found.measure,
        "group": found.group,
        "first": _estimate(found.first),
        "second": _estimate(found.second),
        "trials": list(found.trials),
        "pairs": found.pairs,
        "relative": None if found.relative is None else _estimate(found.relative),
        "absolute": _estimate(found.absolute),
        "p": found.p,
        "adjusted_p": found.adjusted_p,
        "answer": found.answer,
        "worth": words.worth(found.measure, found.answer),
        "reason": found.reason,
        "further": found.further,
        "nothing": found.nothing,
    }


def _one_sided(found: OneSidedTold) -> dict[str, Any]:
    first, second = (None if told is None else _estimate(told[0]) for told in found.told)
    return {
        "measure": found.measure,
        "group": found.group,
        "first": first,
        "second": second,
        "trials": [0 if told is None else told[1] for told in found.told],
        "leaking": list(found.leaking),
    }


def _estimate(one: Estimate) -> dict[str, Any]:
    return {"value": one.value, "ci95": None if one.low is None or one.high is None else [one.low, one.high]}


def _claim(told: ClaimTold) -> dict[str, Any]:
    claim, result = told.result.claim, told.result
    return {
        "text": told.text,
        "first": claim.first,
        "second": claim.second,
        "measure": claim.measure,
        "percent": claim.percent,
        "direction": claim.direction,
        "answer": result.answer,
        "reason": result.reason,
        "further": result.further,
    }


def _claimed(told: ClaimTold) -> str:
    return words.claimed(_claim(told))
