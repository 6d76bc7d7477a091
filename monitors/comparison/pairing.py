"""Which trials of two sides are set against each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.comparison.model import Measure, Measured

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """The values of one measure, of trials of groups in which both sides tell it.

    groups: of each group all values of either side, sorted. pairs: of trials that have a partner, shape (2, k).
    deviations: the errors within those, 0 where not known, shape (2, k). nothing: a difference that is none at the
    speed of any of the trials; 0 where one of them does not tell.
    """

    groups: tuple[tuple[Floats, Floats], ...]
    pairs: Floats
    deviations: Floats
    nothing: float = 0.0

    @property
    def trials(self) -> tuple[int, int]:
        """Of each side."""
        return sum(len(first) for first, _ in self.groups), sum(len(second) for _, second in self.groups)

    @property
    def count(self) -> int:
        """Of pairs."""
        return int(self.pairs.shape[1])

    def sides(self) -> tuple[Floats, Floats]:
        """The values of either side; where groups are mixed, of trials with a partner, so that both mix alike."""
        if len(self.groups) == 1 or not self.count:
            return np.concatenate([a for a, _ in self.groups]), np.concatenate([b for _, b in self.groups])
        return self.pairs[0], self.pairs[1]

    def size(self) -> int:
        """Trials of the side that has more of those."""
        return max(map(len, self.sides()))


def matched(first: Sequence[Measured], second: Sequence[Measured], measure: Measure) -> Matched:
    """Set trials of two sides against each other, in an order that does not depend on the order of trials.

    What is not finite is not known, and an amount of nothing has no ratio: both are left out. Trials of one side that
    have one pair's name count as one trial, their mean.
    """
    sides = [_usable(side, measure) for side in (first, second)]
    groups = sorted({trial.group for trial in sides[0]} & {trial.group for trial in sides[1]})
    keyed = [_by_pair(side, measure.name) for side in sides]
    keys = sorted(keyed[0].keys() & keyed[1].keys())
    table = np.array([[side[key] for key in keys] for side in keyed], dtype=np.float64).reshape(2, len(keys), 2)
    values = tuple((_of_group(keyed[0], group), _of_group(keyed[1], group)) for group in groups)
    nothing = [trial.nothing.get(measure.name, 0.0) for side in sides for trial in side if trial.group in groups]
    return Matched(values, table[:, :, 0], table[:, :, 1], min(nothing, default=0.0))


def _usable(side: Iterable[Measured], measure: Measure) -> list[Measured]:
    told = [trial for trial in side if np.isfinite(trial.values.get(measure.name, np.nan))]
    return [trial for trial in told if measure.kind != "amount" or trial.values[measure.name] > 0]


_Keyed = dict[tuple[str, str], tuple[float, float]]
"""Group and pair -> value and deviation."""


def _by_pair(side: Iterable[Measured], name: str) -> _Keyed:
    rows: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for trial in side:
        rows[trial.group, trial.pair].append((trial.values[name], trial.deviations.get(name, 0.0)))
    return {key: (_mean(v for v, _ in found), _mean(d for _, d in found)) for key, found in rows.items()}


def _of_group(keyed: _Keyed, group: str) -> Floats:
    return np.array(sorted(value for (own, _), (value, _) in keyed.items() if own == group))


def _mean(values: Iterable[float]) -> float:
    ordered = sorted(values)
    return sum(ordered) / len(ordered)
