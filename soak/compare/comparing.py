"""Runs and a question → a comparison, as the document that every output is made from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monitors.comparison.claims import hold
from monitors.comparison.model import Claim, Difference, Measure
from monitors.comparison.statistics import compare_each
from reports.comparison import ClaimTold, GroupTold, PairTold, SideTold, build
from soak.compare.asking import TOLD, asked_claim, asked_measure
from soak.compare.likeness import COMMIT, FRAMEWORK, NODE, PATH, SOAK, facts, unequal, unequal_settings
from soak.compare.matching import MatchedSides, match
from soak.compare.one_sided import one_sided
from soak.compare.sides import BY, VERSION, ComparedSide, ComparedSides, sides_of, telling_version
from soak.compare.trials import ComparedTrial, ReadRuns, read_runs
from soak.errors import UsageError

_OF_VERSION = "version of "


@dataclass(frozen=True, slots=True)
class ComparisonOrder:
    """What is asked."""

    paths: Sequence[Path]
    by: str | None = None
    margin: float = 0.05
    """Relative difference, and difference of probabilities, up to which two sides are alike."""
    claims: Sequence[str] = ()
    measures: Sequence[str] = ()
    """What is compared; everything where there is none."""


def compared(order: ComparisonOrder) -> dict[str, Any]:
    """Read the runs, compare their sides, hold claims against them: the body of a comparison.

    Raises:
        UsageError: a path is no run, a side has no trial, a claim is none, or nothing is alike enough to be compared.
    """
    claims = [(text, asked_claim(text)) for text in order.claims]
    measures = [asked_measure(name) for name in order.measures] or list(TOLD)
    read = read_runs(order.paths, apart=order.by is None and len(order.paths) > 1)
    sides, pairs = _compared(read.trials, order, measures)
    held = [_held(sides, text, claim) for text, claim in claims]
    told = [SideTold(side.name, len(side.trials), _runs(side.trials), _facts(side.trials)) for side in sides.sides]
    used = [trial for _, matched in pairs for group in matched.groups for trial in (*group.first, *group.second)]
    left = _left_out(read, sides, used)
    return build(sides.by, order.margin, told, [pair for pair, _ in pairs], held, left, read.notes)


Pairs = list[tuple[PairTold, MatchedSides]]


def _compared(
    trials: Sequence[ComparedTrial], order: ComparisonOrder, measures: Sequence[Measure]
) -> tuple[ComparedSides, Pairs]:  # fmt: skip
    """By what was asked; or else by the first of `BY` in which trials of equal blocks differ."""
    sides = sides_of(trials, order.by, order.paths)
    pairs = _pairs(sides, order.margin, measures)
    others = BY[BY.index(sides.by) + 1 :] if order.by is None and sides.by != PATH and not pairs else ()
    for by in others:
        try:
            found = sides_of(trials, by, order.paths)
        except UsageError:
            continue
        if pairs := _pairs(found, order.margin, measures):
            return found, pairs
    if not pairs:
        raise UsageError(_nothing_alike(sides))
    return sides, pairs


def _pairs(sides: ComparedSides, margin: float, measures: Sequence[Measure]) -> Pairs:
    """Each side after the first, held against the first before it that has a block in common with it."""
    found: list[tuple[ComparedSide, ComparedSide, MatchedSides]] = []
    for place, side in enumerate(sides.sides):
        for against in sides.sides[:place]:
            matched = match(side.trials, against.trials, sides.by)
            if matched.groups:
                found.append((side, against, matched))
                break
    each = compare_each([(matched.first, matched.second) for *_, matched in found], measures, margin)
    return [
        (_pair(side, against, matched, differences, sides.by, measures), matched)
        for (side, against, matched), differences in zip(found, each, strict=True)
    ]


def _pair(
    side: ComparedSide, against: ComparedSide, matched: MatchedSides, differences: Sequence[Difference], by: str,
    measures: Sequence[Measure],
) -> PairTold:  # fmt: skip
    first = [trial for group in matched.groups for trial in group.first]
    second = [trial for group in matched.groups for trial in group.second]
    measured = [
        (name, trial.run.run_id, trial.info.name, one)
        for name, own, values in ((side.name, first, matched.first), (against.name, second, matched.second))
        for trial, one in zip(own, values, strict=True)
    ]
    return PairTold(
        side.name, against.name, differences,
        [GroupTold(group.name, group.title, group.sources) for group in matched.groups],
        _told_unequal(first, second, by), measured, list(one_sided(matched, differences, measures)),
    )  # fmt: skip


def _told_unequal(
    first: Sequence[ComparedTrial], second: Sequence[ComparedTrial], by: str
) -> dict[str, tuple[Sequence[str], Sequence[str]]]:
    """Facts in which both sides differ, but for what is compared."""
    found = unequal(first, second)
    itself = {by, *(f"{_OF_VERSION}{name}" for name in _compared_versions([*first, *second], by))}
    if by != NODE and len({trial.run.run_id for trial in (*first, *second)}) == 1:
        itself |= {NODE, SOAK, COMMIT}
    return {name: values for name, values in found.items() if name not in itself}


def _compared_versions(trials: Sequence[ComparedTrial], by: str) -> set[str]:
    """What the versions are of that are no difference besides, as they are what sides differ in, or come with it."""
    telling = telling_version(trials) if by == VERSION else by
    return {trial.info.framework for trial in trials} if telling == FRAMEWORK else {telling}


def _held(sides: ComparedSides, text: str, claim: Claim) -> ClaimTold:
    first, second = sides.find(claim.first), sides.find(claim.second)
    if first is second:
        raise UsageError(f"--claim {text}: expected two different sides")
    matched = match(first.trials, second.trials, sides.by)
    return ClaimTold(text, hold(replace(claim, first=first.name, second=second.name), matched.first, matched.second))


def _runs(trials: Iterable[ComparedTrial]) -> list[str]:
    return list(dict.fromkeys(trial.run.run_id for trial in trials))


def _facts(trials: Iterable[ComparedTrial]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for trial in trials:
        for name, value in facts(trial).items():
            found[name].add(value)
    return {name: sorted(values) for name, values in found.items()}


def _left_out(read: ReadRuns, sides: ComparedSides, used: Sequence[ComparedTrial]) -> list[str]:
    """What does not count, each kind in a line with how many there are."""
    kinds = Counter(why for why, _ in read.left_out)
    if sides.unnamed:
        kinds[f"no {sides.by} recorded"] = len(sides.unnamed)
    kept = {id(trial) for trial in used}
    for side in sides.sides:
        kinds[f"only {side.name} has such a block"] = sum(id(trial) not in kept for trial in side.trials)
    return [f"{why}: {number:,} trial{'s'[: number != 1]}" for why, number in kinds.items() if number]


def _nothing_alike(sides: ComparedSides) -> str:
    first, second = sides.sides[-1], sides.sides[0]
    differ = [f"{name} ({one} against {other})" for name, (one, other) in
              unequal_settings(first.trials, second.trials, sides.by).items()]  # fmt: skip
    said = "; the most alike differ in " + ", ".join(differ[:5]) if differ else ""
    return f"no trial of {first.name} has the same block as one of {second.name}, so nothing can be compared{said}"
