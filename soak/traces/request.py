"""What its user says of how a source is to be read."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from soak.traces import units


@dataclass(frozen=True, slots=True)
class TraceRequest:
    """All of it may be left out: then it is found by itself."""

    time: str | None = None
    """The column that is the time."""
    interval: float | None = None
    """Seconds between two rows, where no column is the time."""
    units: Mapping[str, float] = field(default_factory=dict)
    """Bytes of the unit of a column, by its name; by an empty name, of all that tell none."""
    group_by: Sequence[str] | None = None
    """Columns that tell entities apart; empty for a single one."""


def matches(name: str, asked: str) -> bool:
    """Whether a column is asked for: as it is written, without its unit, or with * and ?."""
    return asked in (name, units.split(name)[0]) or fnmatch.fnmatchcase(name, asked)
