"""A replay of a trial: what is changed of it, and why; and what is left out, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["baseline", "tracemalloc", "memray", "device_memory", "ablation"]


@dataclass(frozen=True, slots=True)
class Replay:
    """One, before it runs."""

    name: str
    """Of its trial."""
    kind: Kind
    title: str
    """What is changed, for people."""
    table: Mapping[str, Any]
    """Its `[[trial]]` table."""
    changed: Mapping[str, Any] = field(default_factory=dict)
    """Keys that differ from the trial, with their values."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What could not be done, or says nothing of this trial."""

    what: str
    why: str


def changed(
    name: str, kind: Kind, title: str, table: Mapping[str, Any], keys: Mapping[str, Any]
) -> Replay:  # fmt: skip
    """A replay with these keys changed; a table among them is laid over the one that is there."""
    whole = dict(table)
    for key, value in keys.items():
        whole[key] = {**table.get(key, {}), **value} if isinstance(value, Mapping) else value
    return Replay(name, kind, title, {**whole, "name": name}, dict(keys))
