"""A history as people read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from monitors.comparison.places import FEWEST
from monitors.comparison.words import by
from reports import comparison_words as said

_MOST = 4
"""Runs with changes that the sentence tells."""
_VERSION = "version of "


def sentence(arms: Sequence[Mapping[str, Any]]) -> str:
    """What changed last, the worst of it first, run by run; or that nothing did, or that it cannot be told."""
    found: dict[tuple[str, str], list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}
    every = [(arm, course) for arm in arms for course in arm["courses"]]
    for arm, course in every:
        for change in course["changes"][-1:]:
            found.setdefault((arm["name"], change["run"]), []).append((course, change))
    if found:
        ordered = sorted(found.items(), key=lambda one: _urgency(one[1]))
        more = f" And {len(found) - _MOST} more changes." if len(found) > _MOST else ""
        return " ".join(_since(name, those) for (name, _), those in ordered[:_MOST]) + more
    runs = max((len(arm["runs"]) for arm in arms), default=0)
    if not every:
        return f"Cannot tell: nothing of what is followed is known, of {count(runs)}."
    if all(course["too_few_runs"] for _, course in every):
        return f"Cannot tell: {count(runs)}, and a change can be told from {FEWEST} runs on."
    return f"No change that can be told from chance, over {count(runs)}."


def _urgency(those: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> tuple[bool, float]:
    """Worse before better, new before old."""
    return all(change["worth"] == "better" for _, change in those), -max(change["started"] for _, change in those)


def _since(name: str, those: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    """All that changed in an arm with one run."""
    change = those[0][1]
    versions = told_versions(change)
    told = said.listed([f"{course['words']} {moved(course, one)}" for course, one in those])
    with_ = f", with {versions}" if versions else ""
    return f"{name}, since {change['run']} ({clock(change['started'])}){with_}: {told}."


def count(runs: int) -> str:
    """1 run, 2 runs."""
    return f"{runs:,} run{'s'[: runs != 1]}"


def clause(course: Mapping[str, Any], change: Mapping[str, Any]) -> str:
    """12 % higher (+11 to +13 %) since run R (2026-01-02 03:04 UTC)."""
    return f"{moved(course, change)} since {change['run']} ({clock(change['started'])})"


def moved(course: Mapping[str, Any], change: Mapping[str, Any]) -> str:
    """By how much, with its interval: 12 % higher (+11 % to +13 %)."""
    of, name = {**change, "measure": course["measure"]}, course["measure"]
    interval = said.interval(of)
    ends = f" ({interval})" if interval != said.UNKNOWN else ""
    if said.is_relative(of):
        return f"{by(change['relative']['value'])}{ends}"
    before, after = course["levels"][place(course, change)], course["levels"][place(course, change) + 1]
    return f"{said.amount(name, before['value'])} → {said.amount(name, after['value'])}{ends}"


def place(course: Mapping[str, Any], change: Mapping[str, Any]) -> int:
    """Which change of its course it is, from 0."""
    found: int = course["changes"].index(change)
    return found


def dated(change: Mapping[str, Any]) -> str:
    """The run and when it began; where it may have been another, from which to which."""
    if change["earliest"] == change["latest"]:
        return f"{change['run']}, {clock(change['started'])}"
    return f"{change['run']}, {clock(change['started'])} (95 %: {change['earliest']} to {change['latest']})"


def told_versions(change: Mapping[str, Any]) -> str:
    """What changed at the same run: torch 2.12 → 2.13, kernel of the machine 6.1 → 6.2."""
    return ", ".join(
        f"{one['name'].removeprefix(_VERSION)} {_short(one['before'])} → {_short(one['after'])}"
        for one in change["differs"]
    )


def _short(values: Sequence[str]) -> str:
    """A commit as people write it, anything else as it is."""
    return " and ".join(value[:10] if len(value) >= 40 and value.isalnum() else value for value in values)


def level(course: Mapping[str, Any]) -> str:
    """The level of the newest runs with its interval."""
    return said.estimate(course["measure"], course["levels"][-1])


def state(course: Mapping[str, Any]) -> str:
    """What is known of a course without a change."""
    if course["too_few_runs"]:
        return "too few runs"
    return "no change"


def clock(wall: float) -> str:
    """A moment, in UTC."""
    try:
        return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return "at an unknown time"


def outlying(course: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Runs far from their neighbours, each with its value."""
    values = {run["id"]: value for run, value in zip(runs, course["values"], strict=True)}
    for run in course["outlying"]:
        yield f"{course['words']}: {said.amount(course['measure'], values[run])} in {run}"
