"""Which trials a side of a claim has, how they are paired, and in what else the two sides differ. Pure.

Repeats are paired by their run and seed: blocks may differ, as one rank and two never share one. So it has to be told
in what else the trials of a pair differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitors.comparison.model import Measured
from monitors.text import HIDDEN, one_line
from reports import blocks
from soak.claims.tables import CheckedClaim, SideTable
from soak.claims.trials import ClaimTrial
from soak.compare import likeness
from soak.compare.agreed import agreed
from soak.compare.trials import ComparedTrial
from soak.plan.member import PLACES

Unequal = Mapping[str, tuple[Sequence[str], Sequence[str]]]
"""By the name of a fact or setting: the values of the one side, and of the other."""
_LONGEST = 60
_PROGRAM = "command"
"""How a member is started: paths of one machine, which tell nothing that its name does not."""


@dataclass(frozen=True, slots=True)
class PairedSides:
    """Both sides of a statement; the second is empty where it has one."""

    names: tuple[str, str]
    trials: tuple[Sequence[ClaimTrial], Sequence[ClaimTrial]]
    first: Sequence[Measured]
    second: Sequence[Measured]

    def devices(self) -> list[str]:
        """What they ran on, each once."""
        return list(dict.fromkeys(runs_on(trial) for side in self.trials for trial in side))

    def on(self, device: str) -> PairedSides:
        """Of them what ran there."""
        kept = [[runs_on(trial) == device for trial in side] for side in self.trials]
        trials = [[trial for trial, keep in zip(side, keeps, strict=True) if keep]
                  for side, keeps in zip(self.trials, kept, strict=True)]  # fmt: skip
        first, second = ([one for one, keep in zip(side, keeps, strict=True) if keep]
                         for side, keeps in zip((self.first, self.second), kept, strict=True))  # fmt: skip
        return PairedSides(self.names, (trials[0], trials[1]), first, second)


def paired(claim: CheckedClaim, trials: Sequence[ClaimTrial], first: str, second: str) -> PairedSides:
    """The sides of these names. Differences of trials on one device are of one kind."""
    one, other = (of_side(claim, trials, name) if name else [] for name in (first, second))
    told = agreed([trial.readings for trial in (*one, *other)])
    made = [
        Measured(_group(trial), f"{trial.run.run_id} {trial.info.seed}", values, deviations, nothing)
        for trial, values, deviations, nothing in zip(
            (*one, *other), told.values, told.deviations, told.nothing, strict=True
        )
    ]
    return PairedSides((first, second), (one, other), made[: len(one)], made[len(one) :])


def _group(trial: ClaimTrial) -> str:
    return f"{trial.info.workload} {trial.info.mode} on {runs_on(trial)}"


def runs_on(trial: ClaimTrial) -> str:
    """Product name of its GPU, however many of them it has; or that of the processor."""
    gpu = trial.info.settings.get("gpu")
    if isinstance(gpu, Mapping) or trial.info.device != "cpu":
        return str(gpu.get("model", "a GPU")) if isinstance(gpu, Mapping) else "a GPU"
    return str(trial.run.environment.get("cpu", "an unknown processor"))


def of_side(claim: CheckedClaim, trials: Sequence[ClaimTrial], name: str) -> list[ClaimTrial]:
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


def unequal(sides: PairedSides) -> Unequal:
    """In what else the trials of pairs differ, besides what both sides are called by."""
    pairs = _pairs(sides)
    one, other = ([_compared(pair[place]) for pair in pairs] for place in (0, 1))
    found = {**likeness.unequal(one, other), **_settings(pairs)}
    itself = {name for name, values in found.items() if values == ([sides.names[0]], [sides.names[1]])}
    if likeness.FRAMEWORK in found:
        named = {trial.info.framework for pair in pairs for trial in pair}
        itself |= {f"version of {name}" for name in named} | {f"{name}_threads" for name in named}
    return {name: values for name, values in found.items() if name not in itself}


def _pairs(sides: PairedSides) -> list[tuple[ClaimTrial, ClaimTrial]]:
    keyed: dict[tuple[str, str], list[ClaimTrial]] = defaultdict(list)
    for trial, told in zip(sides.trials[1], sides.second, strict=True):
        keyed[told.group, told.pair].append(trial)
    return [
        (trial, partner)
        for trial, told in zip(sides.trials[0], sides.first, strict=True)
        for partner in keyed.get((told.group, told.pair), ())
    ]


def _compared(trial: ClaimTrial) -> ComparedTrial:
    return ComparedTrial(path=0, run=trial.run, info=trial.info, readings=trial.readings)


def _settings(pairs: Sequence[tuple[ClaimTrial, ClaimTrial]]) -> dict[str, tuple[Sequence[str], Sequence[str]]]:
    """Settings in which the trials of some pair differ: stream, options, ranks."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for pair in pairs:
        alike = _members(pair[0]) == _members(pair[1])
        one, other = (_told(trial, alike) for trial in pair)
        for name in {**one, **other}:
            both = one.get(name, likeness.NOT_SET), other.get(name, likeness.NOT_SET)
            if both[0] != both[1]:
                kept = found.setdefault(name, (set(), set()))
                kept[0].add(both[0])
                kept[1].add(both[1])
    return {name: (sorted(one), sorted(other)) for name, (one, other) in found.items()}


def _told(trial: ClaimTrial, members: bool) -> dict[str, str]:
    """members: whether those are told one by one; else how many there are."""
    left_out = ("variables",) if members else ("variables", "members")
    settings = {name: value for name, value in trial.info.settings.items() if name not in left_out}
    told = {"processes": str(len(_members(trial)) or 1), **blocks.flat(settings), **_variables(trial)}
    return {name: one_line(value, _LONGEST) for name, value in told.items() if name.rpartition(".")[2] != _PROGRAM}


def _variables(trial: ClaimTrial) -> dict[str, str]:
    """Environment variables whose values the record hides: that they are set. Not those of ranks, which are told."""
    env = trial.info.settings.get("env")
    own = env if isinstance(env, Mapping) else {}
    return {str(name): "set" for name, value in own.items() if value == HIDDEN and name not in PLACES}


def _members(trial: ClaimTrial) -> list[str]:
    """Their names."""
    found = trial.info.settings.get("members")
    return [str(one.get("name", "")) for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
