"""What trials say of a claim: each statement held against its sides, one answer. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from monitors.comparison.bounds import hold_bound, of_side
from monitors.comparison.claims import hold
from monitors.comparison.measures import named
from monitors.comparison.model import Bound, BoundResult, ClaimAnswer, ClaimResult, Difference, Estimate
from monitors.comparison.statistics import compare
from soak.claims import sides
from soak.claims.sides import PairedSides, Unequal
from soak.claims.tables import CheckedClaim, Statement
from soak.claims.trials import ClaimTrial, hours_of_video

_WORST: Sequence[ClaimAnswer] = ("refuted", "undecided", "supported")
_NEARLY = 0.999
"""Of a dose: as much as is lost where it is no whole number of clips."""


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
    names: tuple[str, str]
    """Of its sides; the second is empty where it has one."""
    sides: Sequence[SideFound]
    difference: Difference | None
    """Of the first side against the second; None where there is one side, or nothing to compare."""
    result: ClaimResult | BoundResult | None
    unequal: Unequal = field(default_factory=dict)
    """In what else the trials of pairs differ."""


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """One row of the table."""

    claim: CheckedClaim
    answer: ClaimAnswer
    reason: str
    """A sentence or several."""
    brief: str
    """Of it what the measured figures beside it do not say already; empty only where they say all."""
    statements: Sequence[StatementAnswer]
    beside: Sequence[StatementAnswer]
    trials: Sequence[ClaimTrial]
    """Those of its sides."""
    here: ClaimAnswer | None = None
    """What these trials alone come to, where they cannot answer it whatever they measured."""


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
    found, reason, brief, more = _together(statements)
    shown, used = [one for one in beside if one.sides], _used(claim, trials)
    if why := _out_of_reach(claim, trials):
        # More trials like these would not settle it.
        also = f"{why} {brief}".strip()
        return ClaimVerdict(claim, "undecided", why, also, statements, shown, used, found)
    also = f"{brief} {more}".strip()
    return ClaimVerdict(claim, found, f"{reason} {more}".strip(), also, statements, shown, used)


def _together(statements: Sequence[StatementAnswer]) -> tuple[ClaimAnswer, str, str, str]:
    """Every statement has to hold: the answer, why; of an open one that without the figures, and what settles it."""
    results = [one.result for one in statements if one.result is not None]
    worst = min(results, key=lambda one: _WORST.index(one.answer))
    same = [one for one in results if one.answer == worst.answer]
    said = " ".join(dict.fromkeys(one.reason for one in same))
    if worst.answer != "undecided":
        return worst.answer, said, "", ""
    brief = " ".join(dict.fromkeys(_brief(one) for one in same))
    return worst.answer, said, brief, _more([one.further for one in same])


def _brief(result: ClaimResult | BoundResult) -> str:
    return result.brief or result.reason if isinstance(result, ClaimResult) else result.reason


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
    if (had := _cards_of_all(_used(claim, trials))) < claim.table.cards:
        needs = "a GPU" if claim.table.cards == 1 else f"{claim.table.cards} GPUs"
        return f"It is about {needs}, and these trials had {had or 'none'}."
    video = min((hours_of_video(sides.of_side(claim, trials, name)) for name in _names(claim)), default=0.0)
    if video < claim.table.hours * _NEARLY:
        return f"It is about {claim.table.hours:g} hours of video, and a side of these trials had {video:.3g}."
    return ""


def _cards_of_all(trials: Sequence[ClaimTrial]) -> int:
    """GPUs that each run had: the most of its trials, and of several runs the least."""
    runs: dict[tuple[str, float], int] = {}
    for trial in trials:
        key = (trial.run.run_id, trial.run.started)
        runs[key] = max(runs.get(key, 0), cards(trial))
    return min(runs.values(), default=0)


def cards(trial: ClaimTrial) -> int:
    """How many GPUs a trial had."""
    return 0 if trial.info.device == "cpu" else trial.info.device.count(",") + 1


def _stated(text: str, statement: Statement, claim: CheckedClaim, trials: Sequence[ClaimTrial]) -> StatementAnswer:
    both = sides.paired(claim, trials, statement.first, statement.second)
    return StatementAnswer(
        text, both.names, _found(statement.measure, both), _difference(statement.measure, both),
        _held(statement, both), sides.unequal(both),
    )  # fmt: skip


def _held(statement: Statement, both: PairedSides) -> ClaimResult | BoundResult:
    """A bound of one side has to hold on every device: trials on unlike ones have no mean."""
    if not isinstance(statement, Bound):
        return hold(statement, both.first, both.second)
    if statement.second or len(both.devices()) < 2:
        return hold_bound(statement, both.first, both.second)
    each = [hold_bound(statement, both.on(device).first) for device in both.devices()]
    return min(each, key=lambda one: _WORST.index(one.answer))


def _beside(
    text: str, asked: tuple[str, str, str], claim: CheckedClaim, trials: Sequence[ClaimTrial]
) -> StatementAnswer:
    one, measure, other = asked
    both = sides.paired(claim, trials, one, other)
    found, differs = _found(measure, both), _difference(measure, both)
    return StatementAnswer(text, both.names, found, differs, None, sides.unequal(both))


def _difference(measure: str, both: PairedSides) -> Difference | None:
    asked = both.first and both.second
    found = compare(both.first, both.second, [named(measure)], ask_further=False) if asked else []
    return found[0] if found else None


def _found(measure: str, both: PairedSides) -> Sequence[SideFound]:
    """Each side; on several devices on each of them."""
    devices = both.devices()
    parts = [(f" on {device}", both.on(device)) for device in devices] if len(devices) > 1 else [("", both)]
    told = (
        (f"{name}{where}", of_side(named(measure), side))
        for where, part in parts
        for name, side in zip(part.names, (part.first, part.second), strict=True)
        if name
    )
    return [SideFound(name, measure, *found) for name, found in told if found is not None]


def _used(claim: CheckedClaim, trials: Sequence[ClaimTrial]) -> Sequence[ClaimTrial]:
    used = {id(trial) for name in _names(claim) for trial in sides.of_side(claim, trials, name)}
    return [trial for trial in trials if id(trial) in used]


def _names(claim: CheckedClaim) -> Iterator[str]:
    found = (name for statement in claim.statements for name in (statement.first, statement.second) if name)
    yield from dict.fromkeys(found)
