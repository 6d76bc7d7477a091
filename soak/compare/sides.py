"""Trials → the sides that are set against each other: by what `--by` names, or by the paths that were given. Pure."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitors.text import one_line
from soak.compare import servers
from soak.compare.likeness import COMMIT, EXECUTION, FRAMEWORK, NODE, PATH, SERVER, facts, versions
from soak.compare.trials import ComparedTrial
from soak.errors import UsageError
from workloads import executions, frameworks

VERSION = "version"
BY = (FRAMEWORK, EXECUTION, VERSION, NODE, COMMIT, SERVER)
_PARTS = re.compile(r"\d+|[a-zA-Z]+")


@dataclass(frozen=True, slots=True)
class ComparedSide:
    """One of the sides."""

    name: str
    """Without spaces, as claims call it."""
    trials: Sequence[ComparedTrial]


@dataclass(frozen=True, slots=True)
class ComparedSides:
    """All of them, in their order: the first is what the others are held against."""

    by: str
    sides: Sequence[ComparedSide]
    unnamed: Sequence[ComparedTrial]
    """Trials that do not tell on which side they are."""

    def find(self, name: str) -> ComparedSide:
        """The side of that name, in any case where no other is told from it by that alone.

        Raises:
            UsageError: there is none.
        """
        exact = {side.name: side for side in self.sides}
        names = {side.name.lower(): side for side in self.sides}
        called = "-".join(name.lower().split())
        found = exact.get("-".join(name.split())) or names.get(called)
        if found is None:
            near = difflib.get_close_matches(called, names, n=1)
            hint = f"; did you mean `{names[near[0]].name}`?" if near else ""
            raise UsageError(f"no side is called `{name}`: there are {_list(side.name for side in self.sides)}{hint}")
        return found


def sides_of(trials: Sequence[ComparedTrial], by: str | None, paths: Sequence[Path]) -> ComparedSides:
    """Sort trials into sides.

    Args:
        trials: those that count.
        by: one of `BY`; None for the paths if there are several, or else for the first of `BY` in which trials differ.
        paths: what the trials were read from.

    Raises:
        UsageError: there are no two sides, or one of several paths has no trial.
    """
    if not trials:
        raise UsageError(f"{_list(map(str, paths))}: no trial of this has ended with a result; nothing to compare")
    if by is not None:
        found = _sorted_by(by, trials)
        if len(found.sides) < 2:
            raise UsageError(f"--by {by}: {_only(found, by, trials)}; expected at least two sides")
        return found
    if len(paths) > 1:
        return _by_path(trials, paths)
    for each in BY:
        found = _sorted_by(each, trials)
        if len(found.sides) > 1:
            return found
    raise UsageError(f"{paths[0]}: all trials have the same {_list(BY, 'and')}: give another run to compare it with")


def _only(found: ComparedSides, by: str, trials: Sequence[ComparedTrial]) -> str:
    if found.sides:
        return f"all {len(trials)} trials have {found.sides[0].name}" if len(trials) > 1 else "there is only one trial"
    return f"no trial tells its {by}"


def _by_path(trials: Sequence[ComparedTrial], paths: Sequence[Path]) -> ComparedSides:
    names = _names(paths)
    sides = [ComparedSide(name, [t for t in trials if t.path == place]) for place, name in enumerate(names)]
    for side, path in zip(sides, paths, strict=True):
        if not side.trials:
            raise UsageError(f"{path}: no trial of it has ended with a result; give another run")
    runs = [{trial.run.run_id for trial in side.trials} for side in sides]
    for (one, first), (other, second) in itertools.combinations(enumerate(runs), 2):
        if first & second:
            raise UsageError(f"{paths[other]}: {min(first & second)} is in {paths[one]} too; give each run once")
    return ComparedSides(PATH, sides, [])


def _names(paths: Sequence[Path]) -> list[str]:
    """Of each path the last part; all of it where that is not enough to tell it apart."""
    short = [_word(path.resolve().name or str(path)) for path in paths]
    return short if len(set(short)) == len(short) else [_word(str(path)) for path in paths]


def _word(text: str) -> str:
    """Fit to be written in a claim."""
    return "-".join(one_line(text, 120).split()) or "-"


def _sorted_by(by: str, trials: Sequence[ComparedTrial]) -> ComparedSides:
    called = _namer(by, trials)
    named: dict[str, list[ComparedTrial]] = {}
    for trial in trials:
        named.setdefault(called(trial), []).append(trial)
    unnamed = named.pop("", [])
    ordered = sorted(named, key=lambda name: _order(by, name, named[name]))
    return ComparedSides(by, [ComparedSide(name, named[name]) for name in ordered], unnamed)


def _namer(by: str, trials: Sequence[ComparedTrial]) -> Callable[[ComparedTrial], str]:
    if by == VERSION:
        return _version_of(trials)
    if by == SERVER:
        serves = servers.names_of([trial.info for trial in trials])
        return lambda trial: _word(name) if (name := serves(trial.info)) else ""
    return lambda trial: _fact(trial, by)


def _fact(trial: ComparedTrial, by: str) -> str:
    found = facts(trial).get(by, "")
    if by == FRAMEWORK and found == frameworks.NONE:
        return ""
    return _word(found) if found else ""


def _version_of(trials: Sequence[ComparedTrial]) -> Callable[[ComparedTrial], str]:
    name = telling_version(trials)
    if name == FRAMEWORK:
        several = len({trial.info.framework for trial in trials}) > 1
        return lambda trial: _named_version(trial, several)
    return lambda trial: _word(f"{name}-{found}") if (found := _versions(trial).get(name, "")) else ""


def telling_version(trials: Sequence[ComparedTrial]) -> str:
    """Whose versions tell sides apart: `framework`, if theirs differ; or else what first differs; empty for nothing."""
    told = [_versions(trial) for trial in trials]
    if _unequal(told, lambda own: own.get(FRAMEWORK, "")):
        return FRAMEWORK
    names = dict.fromkeys(name for own in told for name in own)
    return next((name for name in names if len({own.get(name, "") for own in told}) > 1), "")


def _unequal(told: Sequence[Mapping[str, str]], of: Callable[[Mapping[str, str]], str]) -> bool:
    return any(len({of(own) for own in told if own["of"] == each}) > 1 for each in {own["of"] for own in told})


def _versions(trial: ComparedTrial) -> dict[str, str]:
    """By name; the framework's own as `framework`."""
    info = trial.info
    said = {name: info.environment[name] for name in versions(info) if name in info.environment}
    own = said.pop(info.framework, "")
    return {"of": info.framework, **({FRAMEWORK: own} if own else {}), **said}


def _named_version(trial: ComparedTrial, several: bool) -> str:
    found = _versions(trial).get(FRAMEWORK, "")
    return _word(f"{trial.info.framework}-{found}") if found and several else _word(found) if found else ""


def _order(by: str, name: str, trials: Sequence[ComparedTrial]) -> tuple[object, ...]:
    """What comes first is what the others are held against: what is usual, or older."""
    if by == FRAMEWORK:
        known = frameworks.DEFAULTS
        return (known.index(name) if name in known else len(known), name)
    if by == EXECUTION:
        return (name != executions.DEFAULT, name)
    if by == VERSION:
        # A word, as in 2.9.0rc1, comes before the end, and a further number after it.
        numbers = [int(part) if part.isdigit() else -1 for part in _PARTS.findall(name)]
        return (re.split(r"\d", name)[0], [*numbers, 0], name)
    if by == COMMIT:
        return (min(trial.run.started for trial in trials), name)
    return (name,)


def _list(names: object, word: str = "") -> str:
    found = [str(name) for name in names]  # type: ignore[attr-defined]
    return f"{', '.join(found[:-1])} {word} {found[-1]}" if word and len(found) > 1 else ", ".join(found)
