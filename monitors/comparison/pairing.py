"""Which trials of two sides are set against each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.comparison.model import Measure, Measured

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """The values of one measure, of trials of groups that both sides have.

    first, second: of all such trials, shape (n,), (m,). pairs: of those that have a partner, shape (2, k);
    deviations: the errors within them, 0 where not known, shape (2, k).
    """

    first: Floats
    second: Floats
    pairs: Floats
    deviations: Floats


def matched(first: Sequence[Measured], second: Sequence[Measured], measure: Measure) -> Matched:
    """In an order that does not depend on the order of trials. Trials of one side with one key count as their mean."""
    sides = [_usable(side, measure) for side in (first, second)]
    groups = {trial.group for trial in sides[0]} & {trial.group for trial in sides[1]}
    kept = [[trial for trial in side if trial.group in groups] for side in sides]
    keyed = [_by_pair(side, measure.name) for side in kept]
    keys = sorted(keyed[0].keys() & keyed[1].keys())
    table = np.array([[side[key] for key in keys] for side in keyed], dtype=np.float64).reshape(2, len(keys), 2)
    values = [np.sort(np.array([trial.values[measure.name] for trial in side])) for side in kept]
    return Matched(values[0], values[1], table[:, :, 0], table[:, :, 1])


def _usable(side: Sequence[Measured], measure: Measure) -> list[Measured]:
    """Those that tell it, with a number; an amount of nothing has no ratio."""
    told = [trial for trial in side if np.isfinite(trial.values.get(measure.name, np.nan))]
    return [trial for trial in told if measure.kind != "amount" or trial.values[measure.name] > 0]


def _by_pair(side: Sequence[Measured], name: str) -> dict[tuple[str, str], tuple[float, float]]:
    rows: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for trial in side:
        rows[trial.group, trial.pair].append((trial.values[name], trial.deviations.get(name, 0.0)))
    return {key: (_mean([v for v, _ in all_]), _mean([d for _, d in all_])) for key, all_ in rows.items()}


def _mean(values: list[float]) -> float:
    return sum(sorted(values)) / len(values)
