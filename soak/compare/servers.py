"""Trials of servers: what serves, which is compared, and the load that it is under, which trials have to share. Pure.

What is judged serves; members that are not judged are its clients. Where a client finds its server is no part of the
load, as each has ports of its own.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from reports.record import TrialInfo
from soak.plan.program import name_of

_PORT = re.compile(r"\{(?:[^{}]+\.)?port(?::[a-z][a-z0-9_]*)?\}")
_SHIPPED = "workloads.servers."
_LIMITS = ("duration", "memory_limit", "variables")


def load(info: TrialInfo) -> dict[str, Any]:
    """All that a trial was told but for what serves: its limits and its clients. Made of JSON values."""
    limits = {name: info.settings.get(name) for name in _LIMITS}
    return {**limits, "members": [_anywhere(client) for client in _members(info, judged=False)]}


def load_named(info: TrialInfo) -> str:
    """What the clients are, for people."""
    return " and ".join(dict.fromkeys(_called(client) for client in _members(info, judged=False)))


def names_of(infos: Sequence[TrialInfo]) -> Callable[[TrialInfo], str]:
    """What serves in each of these, as `nginx+torchserve`; empty where nothing does.

    Servers of one name are told apart by the options, or arguments, in which they differ: `fastapi framework=torch`.
    """
    alike: dict[str, list[set[str]]] = defaultdict(list)
    for info in infos:
        alike[_name(info)].append(set(_options(info)))
    common = {name: set.intersection(*told) for name, told in alike.items()}

    def named(info: TrialInfo) -> str:
        name = _name(info)
        return " ".join([name, *(one for one in _options(info) if one not in common[name])]) if name else ""

    return named


def _members(info: TrialInfo, judged: bool) -> list[Mapping[str, Any]]:
    found = info.settings.get("members")
    members = [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
    return [one for one in members if bool(one.get("judged", True)) is judged]


def _name(info: TrialInfo) -> str:
    """Without a client nothing serves."""
    serving = _members(info, judged=True) if _members(info, judged=False) else []
    return "+".join(sorted(map(_called, serving)))


def _called(member: Mapping[str, Any]) -> str:
    words = _words(member)
    shipped = next((word.removeprefix(_SHIPPED) for word in words if word.startswith(_SHIPPED)), "")
    order = member.get("order")
    worker = str(order.get("workload", "")) if isinstance(order, Mapping) else ""
    return worker or shipped or name_of(words)


def _words(member: Mapping[str, Any]) -> list[str]:
    found = member.get("command")
    return [str(word) for word in found] if isinstance(found, list) else []


def _options(info: TrialInfo) -> Sequence[str]:
    """Of all that serves; with its name where several do."""
    serving = sorted(_members(info, judged=True), key=_called)
    several = len(serving) > 1
    return [f"{_called(one)}.{told}" if several else told for one in serving for told in _told(one)]


def _told(member: Mapping[str, Any]) -> Sequence[str]:
    """Options of a server that comes with soak, each by itself; arguments of any other, all at once."""
    words, name = _words(member), _called(member)
    if "--options" in words[:-1]:
        try:
            options = json.loads(words[words.index("--options") + 1])
        except ValueError:
            options = None
        if isinstance(options, Mapping):
            return [f"{key}={_short(value)}" for key, value in options.items()]
    at = next((place for place, word in enumerate(words) if name in (PurePath(word).name, PurePath(word).stem)), 0)
    return [" ".join(words[at + 1 :])] if words[at + 1 :] else []


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _anywhere(value: Any) -> Any:
    """Without where its server is."""
    if isinstance(value, str):
        return _PORT.sub("{port}", value)
    if isinstance(value, Mapping):
        return {name: _anywhere(inner) for name, inner in value.items()}
    return [_anywhere(inner) for inner in value] if isinstance(value, list) else value
