"""What trials say of a claim: its sides chosen and paired, each statement held against them, one answer. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monitors.comparison.bounds import hold_bound, of_side
from monitors.comparison.claims import hold
from monitors.comparison.measures import named
from monitors.comparison.model import Bound, BoundResult, ClaimAnswer, ClaimResult, Difference, Estimate, Measured
from monitors.comparison.statistics import compare
from soak.claims.tables import CheckedClaim, SideTable, Statement
from soak.claims.trials import ClaimTrial
from soak.compare.readings import agreed

_WORST: Sequence[ClaimAnswer] = ("refuted", "undecided", "supported")


@dataclass(frozen=True, slots=True)
class SideFound:
    """What a side has of a measure."""

    name: str
    measure: str
    estimate: Estimate
    trials: int


@dataclass(frozen=True, slots=True)
class StatementAnswer:
    """A statement with what was measured, or what is shown beside it: then there is no result."""

    text: str
    sides: Sequence[SideFound]
    difference: Difference | None
    """Of the first side against the second; None where there is one side, or nothing to compare."""
    result: ClaimResult | BoundResult | None


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """One row of the table."""

    claim: CheckedClaim
    answer: ClaimAnswer
    reason: str
    """A sentence or several."""
    brief: str
    """Of it what the measured figures beside it do not say already; may be empty."""
    statements: Sequence[StatementAnswer]
    beside: Sequence[StatementAnswer]
    trials: Sequence[ClaimTrial]
    """Those of its sides."""


def answer(claim: CheckedClaim, trials: Sequence[ClaimTrial], missing: str = "") -> ClaimVerdict:
    """Hold a claim against the trials of its experiment.

    Args:
        claim: it.
        trials: those that count; none where it was not run.
        missing: why there are none, as a sentence.
    """
    if not trials:
        said = missing or "No trial of its experiment counts."
        return ClaimVerdict(claim, "undecided", said, said, (), (), ())
    statements = [
        _stated(text, one, claim, trials) for text, one in zip(claim.table.holds, claim.statements, strict=True)
    ]
    beside = [_beside(text, one, claim, trials) for text, one in zip(claim.table.beside, claim.beside, strict=True)]
    found, reason, brief = _together(statements)
    if (why := _out_of_reach(claim, trials)) != "":
        found, reason, brief = "undecided", why, why
    shown = [one for one in beside if one.sides]
    return ClaimVerdict(claim, found, reason, brief, statements, shown, _used(claim, trials))


def _together(statements: Sequence[StatementAnswer]) -> tuple[ClaimAnswer, str, str]:
    """Every statement has to hold: the answer, why, and what would settle it."""
    results = [one.result for one in statements if one.result is not None]
    worst = min(results, key=lambda one: _WORST.index(one.answer))
    same = [one for one in results if one.answer == worst.answer]
    more = _more([one.further for one in same]) if worst.answer == "undecided" else ""
    said = " ".join(dict.fromkeys(one.reason for one in same))
    return worst.answer, f"{said} {more}".strip(), more


def _more(further: Sequence[int | None]) -> str:
    """How many more trials it would take for all; empty where no number would do, or none is known."""
    if None in further:
        return ""
    most = max(filter(None, further), default=0)
    return f"About {most:,} more trial{'s' * (most != 1)} a side would settle it." if most else ""


def _out_of_reach(claim: CheckedClaim, trials: Sequence[ClaimTrial]) -> str:
    """Why these trials cannot answer it, whatever they measured."""
    if claim.table.unanswerable:
        return claim.table.unanswerable
    had = max((cards(trial) for trial in _used(claim, trials)), default=0)
    if had >= claim.table.cards:
        return ""
    needs = "a GPU" if claim.table.cards == 1 else f"{claim.table.cards} GPUs"
    return f"It is about {needs}, and these trials had {had or 'none'}."


def cards(trial: ClaimTrial) -> int:
    """How many GPUs a trial had."""
    return 0 if trial.info.device == "cpu" else trial.info.device.count(",") + 1


def _stated(text: str, statement: Statement, claim: CheckedClaim, trials: Sequence[ClaimTrial]) -> StatementAnswer:
    first, second = _measured(claim, trials, statement.first, statement.second)
    differs = _difference(statement.measure, first, second)
    sides = _sides(statement.measure, (statement.first, first), (statement.second, second))
    if isinstance(statement, Bound):
        result: ClaimResult | BoundResult = hold_bound(statement, first, second)
    else:
        result = hold(statement, first, second)
    return StatementAnswer(text, sides, differs, result)


def _beside(
    text: str, asked: tuple[str, str, str], claim: CheckedClaim, trials: Sequence[ClaimTrial]
) -> StatementAnswer:
    one, measure, other = asked
    first, second = _measured(claim, trials, one, other)
    differs = _difference(measure, first, second)
    return StatementAnswer(text, _sides(measure, (one, first), (other, second)), differs, None)


def _difference(measure: str, first: Sequence[Measured], second: Sequence[Measured]) -> Difference | None:
    found = compare(first, second, [named(measure)], ask_further=False) if first and second else []
    return found[0] if found else None


def _sides(measure: str, *sides: tuple[str, Sequence[Measured]]) -> Sequence[SideFound]:
    told = ((name, of_side(named(measure), side)) for name, side in sides if name)
    return [SideFound(name, measure, *found) for name, found in told if found is not None]


def _measured(
    claim: CheckedClaim, trials: Sequence[ClaimTrial], first: str, second: str
) -> tuple[Sequence[Measured], Sequence[Measured]]:
    """Both sides. Repeats are paired by their run and seed: blocks may differ, as one rank and two never share one."""
    one, other = (_of_side(claim, trials, name) if name else [] for name in (first, second))
    told = agreed([trial.readings for trial in (*one, *other)])
    made = [
        Measured(_group(trial), f"{trial.run.run_id} {trial.info.seed}", values, deviations, nothing)
        for trial, values, deviations, nothing in zip(
            (*one, *other), told.values, told.deviations, told.nothing, strict=True
        )
    ]
    return made[: len(one)], made[len(one) :]


def _group(trial: ClaimTrial) -> str:
    return f"{trial.info.workload} {trial.info.mode}"


def _used(claim: CheckedClaim, trials: Sequence[ClaimTrial]) -> Sequence[ClaimTrial]:
    names = dict.fromkeys(_names(claim))
    used = {id(trial) for name in names for trial in _of_side(claim, trials, name)}
    return [trial for trial in trials if id(trial) in used]


def _names(claim: CheckedClaim) -> Iterator[str]:
    for statement in claim.statements:
        yield from filter(None, (statement.first, statement.second))


def _of_side(claim: CheckedClaim, trials: Sequence[ClaimTrial], name: str) -> list[ClaimTrial]:
    """By the claim's own table of that side, or else by framework, execution, or how the names of trials begin."""
    if name in claim.table.sides:
        return [trial for trial in trials if _is_of(claim.table.sides[name], trial)]
    by_framework = [trial for trial in trials if trial.info.framework == name]
    # LiteRT is a framework too, and an execution of networks of another.
    by_execution = [trial for trial in trials if trial.info.execution == name]
    return by_framework or by_execution or [trial for trial in trials if trial.info.name.startswith(name)]


def _is_of(side: SideTable, trial: ClaimTrial) -> bool:
    info = trial.info
    asked = ((side.workload, info.workload), (side.framework, info.framework), (side.execution, info.execution),
             (side.mode, info.mode))  # fmt: skip
    return info.name.startswith(side.trial) and all(not wanted or wanted == given for wanted, given in asked)
