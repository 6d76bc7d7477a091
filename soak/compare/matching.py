"""Which trials of two sides are set against each other. Pure.

Only those of equal blocks are. Within a block those are paired that are alike in all that is not compared (framework,
execution, settings of memory); where each side has trials of one kind only, these, and in what they differ is told.
Repeats are paired within their run first, then over runs in the order in which they began.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from monitors.comparison.model import Measured
from reports.blocks import titles
from reports.record import TrialInfo
from soak.compare.agreed import agreed
from soak.compare.likeness import FRAMEWORK, PATH, SERVER, block_of, group_of, rest
from soak.compare.servers import load, load_named
from soak.compare.trials import ComparedTrial
from soak.plan.block import sha256
from workloads import frameworks

Trials = Sequence[ComparedTrial]
Rest = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MatchedGroup:
    """Trials of both sides whose differences are of one kind."""

    name: str
    title: str
    first: Trials
    second: Trials
    sources: Mapping[str, str]
    """By measure, what it was read from: throughput from frames."""


@dataclass(frozen=True, slots=True)
class MatchedSides:
    """Two sides, as far as they have blocks in common."""

    first: Sequence[Measured]
    second: Sequence[Measured]
    groups: Sequence[MatchedGroup]
    alone: Trials
    """Trials of blocks, or of kinds within a block, that the other side has none of."""


def match(first: Trials, second: Trials, compared: str) -> MatchedSides:
    """Set two sides against each other.

    Args:
        first: trials of one side.
        second: trials of the other.
        compared: what sides are to differ in. Models in two frameworks are set against each other only where it is the
            framework, or no more than the paths that runs were given by.
    """
    kinds = [_by_kind(side, compared) for side in (first, second)]
    shared = [pair for group in kinds[0] for pair in _alike(group, kinds[0][group], kinds[1].get(group, {}), compared)]
    sides: tuple[list[Measured], list[Measured]] = ([], [])
    named = _titles(shared, kinds[0], compared)
    groups, kept = [], set[int]()
    for number, (group, *rests) in enumerate(shared):
        trials = [kinds[side][group][rests[side]] for side in (0, 1)]
        one, other = _with_equal_blocks(trials[0], trials[1], compared)
        if not one:
            continue
        kept |= {id(trial) for trial in (*one, *other)}
        name = _name(group, *rests)
        sources = _measured(name, one, other, sides, compared)
        groups.append(MatchedGroup(name, named[number], one, other, sources))
    alone = [trial for trial in (*first, *second) if id(trial) not in kept]
    return MatchedSides(*sides, groups, alone)


def _by_kind(side: Trials, compared: str) -> dict[str, dict[Rest, list[ComparedTrial]]]:
    """By group, and within it by what else tells trials apart."""
    found: dict[str, dict[Rest, list[ComparedTrial]]] = defaultdict(lambda: defaultdict(list))
    for trial in side:
        found[group_of(trial, compared)][rest(trial, compared)].append(trial)
    return found


def _name(group: str, *kinds: Rest) -> str:
    """The same whichever side is the first."""
    return f"{group}.{sha256()(repr(sorted(kinds)).encode()).hexdigest()[:4]}"


def _alike(
    group: str, first: Mapping[Rest, Trials], second: Mapping[Rest, Trials], compared: str
) -> Iterator[tuple[str, Rest, Rest]]:  # fmt: skip
    """Kinds of trials of a group that are set against each other."""
    same = [kind for kind in first if kind in second]
    yield from ((group, kind, kind) for kind in same)
    one, other = ([kind for kind in side if kind not in same] for side in (first, second))
    if len(one) == len(other) == 1 and (compared == PATH or _framework(one[0]) == _framework(other[0])):
        yield group, one[0], other[0]


def _framework(kind: Rest) -> str:
    """Empty where there is none."""
    name = dict(kind).get(FRAMEWORK, "")
    return "" if name == frameworks.NONE else name


def _with_equal_blocks(first: Trials, second: Trials, compared: str) -> tuple[Trials, Trials]:
    blocks = {block_of(trial, compared) for trial in first} & {block_of(trial, compared) for trial in second}
    one, other = ([trial for trial in side if block_of(trial, compared) in blocks] for side in (first, second))
    return one, other


def _measured(
    group: str, first: Trials, second: Trials, sides: tuple[list[Measured], list[Measured]], compared: str
) -> Mapping[str, str]:
    """Both sides of a group, with what pairs them, added to all; what each measure was read from."""
    told = agreed([trial.readings for trial in (*first, *second)])
    pairs = _pairs(first, second, compared)
    for place, trial in enumerate((*first, *second)):
        side = sides[0] if place < len(first) else sides[1]
        side.append(Measured(group, pairs[id(trial)], told.values[place], told.deviations[place], told.nothing[place]))
    return told.sources


def _pairs(first: Trials, second: Trials, compared: str) -> dict[int, str]:
    """By trial: a name that its partner has too; one without a partner has a name of its own."""
    names: dict[int, str] = {}
    for run in sorted({trial.run.run_id for trial in first}):
        own = [[trial for trial in side if trial.run.run_id == run] for side in (first, second)]
        names |= _in_order(own[0], own[1], run, compared)
    left = [[trial for trial in side if id(trial) not in names] for side in (first, second)]
    names |= _in_order(left[0], left[1], "over runs", compared)
    alone = (trial for trial in (*first, *second) if id(trial) not in names)
    return names | {id(trial): f"alone {number}" for number, trial in enumerate(alone)}


def _in_order(first: Trials, second: Trials, where: str, compared: str) -> dict[int, str]:
    """Trials of equal blocks, the earliest of one side with the earliest of the other."""
    names: dict[int, str] = {}
    for block in dict.fromkeys(block_of(trial, compared) for trial in first):
        own = ([trial for trial in side if block_of(trial, compared) == block] for side in (first, second))
        sides = [sorted(trials, key=_began) for trials in own]
        for number, (one, other) in enumerate(zip(*sides, strict=False)):
            names[id(one)] = names[id(other)] = f"{where}, block {block}, {number}"
    return names


def _began(trial: ComparedTrial) -> tuple[float, int, str]:
    return trial.info.started or trial.run.started, trial.info.index, trial.run.run_id


def _titles(
    shared: Sequence[tuple[str, Rest, Rest]], trials: Mapping[str, Mapping[Rest, Trials]], compared: str
) -> list[str]:
    """Of each group what it is, with the framework of both sides, and of which kind where there are several."""
    known = titles({group: _told(trials[group][kind][0].info, compared) for group, kind, _ in shared})
    if len({(one, other) for _, one, other in shared}) == 1:
        told = [_framework(one) if _framework(one) == _framework(other) else "" for _, one, other in shared]
    else:
        told = [_said(one, other) for _, one, other in shared]
    return [", ".join(filter(None, (known[group], each))) for (group, *_), each in zip(shared, told, strict=True)]


def _told(info: TrialInfo, compared: str) -> TrialInfo:
    """A trial as both sides have it: of servers their load alone."""
    return replace(info, workload=load_named(info), settings=load(info)) if compared == SERVER else info


def _said(first: Rest, second: Rest) -> str:
    """The kind of trials, as far as both sides share it."""
    return ", ".join(value for name, value in first if (name, value) in second) or "different executions"
