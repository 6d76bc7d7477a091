"""What a trial was read to show, and what all trials that are compared were read from alike. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TrialReading:
    """One value; deviation: its standard error, where that is known."""

    value: float
    deviation: float | None = None
    nothing: float = 0.0
    """A difference of so much or less counts as none, where that depends on the trial: bytes a step."""


Readings = Mapping[str, Mapping[str, TrialReading]]
"""By the name of a measure, and by what it was read from, the best first."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """Of each trial values and deviations by the name of a measure, and what each measure was read from in all."""

    values: Sequence[Mapping[str, float]]
    deviations: Sequence[Mapping[str, float]]
    sources: Mapping[str, str] = field(default_factory=dict)
    nothing: Sequence[Mapping[str, float]] = ()
    """Of each trial, by measure, differences up to which there is none, where that depends on the trial."""


def agreed(trials: Sequence[Readings]) -> Agreed:
    """Of each measure the first source that all trials have which have the measure at all; none, and it is left out."""
    sources: dict[str, str] = {}
    for measure in dict.fromkeys(name for readings in trials for name in readings):
        having = [readings[measure] for readings in trials if measure in readings]
        shared = [source for source in having[0] if all(source in one for one in having)]
        if shared:
            sources[measure] = shared[0]
    taken = [
        {name: each[name][source] for name, source in sources.items() if name in each} for each in trials
    ]  # fmt: skip
    return Agreed(
        [{name: one.value for name, one in each.items()} for each in taken],
        [{name: one.deviation for name, one in each.items() if one.deviation is not None} for each in taken],
        sources,
        [{name: one.nothing for name, one in each.items() if one.nothing} for each in taken],
    )
