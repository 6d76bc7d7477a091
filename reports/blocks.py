"""The blocks of a run: trials that may be compared, side by side, each block with a title that tells it from others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from monitors.text import one_line
from reports.record import TrialInfo

_UNTOLD = ("workload", "framework", "mode", "execution", "seed", "device", "python", "env", "expect_end", "planted")
"""Settings that the title holds anyway, or that a block may differ in within itself."""
_MEMBERS = "members"


def of_run(infos: Sequence[TrialInfo]) -> list[dict[str, Any]]:
    """Blocks by title; within each, the trials by framework and execution."""
    blocks: dict[str, list[TrialInfo]] = {}
    for info in sorted(infos, key=lambda i: (i.framework, i.execution, i.index)):
        blocks.setdefault(info.block, []).append(info)
    alike: dict[str, list[TrialInfo]] = {}
    for trials in blocks.values():
        alike.setdefault(_short(trials[0]), []).append(trials[0])
    found = [
        {"block": name, "title": _title(trials[0], alike), "trials": [info.index for info in trials]}
        for name, trials in blocks.items()
    ]
    return sorted(found, key=lambda block: (block["title"], block["block"]))


def _short(info: TrialInfo) -> str:
    return _seedless(info) if info.mode == "command" else f"{_seedless(info)}, seed {info.seed}"


def titles(infos: Mapping[str, TrialInfo]) -> dict[str, str]:
    """By the name of a group of blocks that differ in their seed alone: workload, mode, and what tells it from others.

    infos: one trial of each group.
    """
    each = {name: _seedless(info) for name, info in infos.items()}
    told = {name: flat(info.settings) for name, info in infos.items()}
    found = {}
    for name, own in told.items():
        others = [told[other] for other in each if each[other] == each[name]]
        found[name] = one_line(", ".join([each[name], *_unequal(own, others)]), 200)
    return found


def _seedless(info: TrialInfo) -> str:
    return info.workload if info.mode == "command" else f"{info.workload} {info.mode}"


def _title(info: TrialInfo, alike: Mapping[str, Sequence[TrialInfo]]) -> str:
    """Workload, mode and seed, and the settings in which it differs from other blocks with these."""
    short = _short(info)
    told = [flat(other.settings) for other in alike[short]]
    waits = [] if info.started else ["not started"]  # it has no device yet, and so no block that is complete
    return one_line(", ".join([short, *_unequal(flat(info.settings), told), *waits]), 200)


def _unequal(own: Mapping[str, str], others: Iterable[Mapping[str, str]]) -> list[str]:
    """Settings that not all others have alike, each with its value; those of members, only of others that have them."""
    members = tuple(f"{member}." for member in own.get(_MEMBERS, "").split(", ") if member)
    found: set[str] = set()
    for other in others:
        kin = other.get(_MEMBERS) == own.get(_MEMBERS)
        unlike = (name for name, value in own.items() if other.get(name) != value)
        found.update(name for name in unlike if kin or not (members and name.startswith(members)))
    return [f"{name} {own[name]}" for name in sorted(found)]


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Settings by their name in the config: `stream.height`. The device is told by its model.

    What a block is called by anyway, and what its trials may differ in, is left out.
    """
    found: dict[str, str] = {}
    for name, value in settings.items():
        if not prefix and name in _UNTOLD:
            continue
        if not prefix and name == "gpu":
            found["device"] = str(value["model"]) if isinstance(value, Mapping) and "model" in value else "cpu"
        elif isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif name == _MEMBERS and isinstance(value, list) and all(isinstance(member, Mapping) for member in value):
            members = {str(member.get("name", "")): member for member in value}
            found |= {_MEMBERS: ", ".join(members)} if members else {}
            found |= flat(members)
        elif value is not None:
            found[prefix + name] = str(value)
    return found
