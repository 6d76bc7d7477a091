"""Places in a row of runs at which their level may have changed, weighed against no change. NumPy alone.

A place is a stretch of runs with a level of its own: up to the last run, or one that was left and came back. Its weight
is how much likelier it makes the values (normal noise of unknown deviation) than one level for all.
"""

from __future__ import annotations

import functools
import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST = 3
"""Runs that a level lasts."""
FEWEST = 2 * LEAST
"""Runs of which a change can be told."""
_BACK = 0.1
"""Weight of all stretches that came back, where that of all that did not is the rest."""
_FAR = 5.0
"""Standard deviations from the median of five from which on a run is outlying."""
_CALM = 0.75
"""Share of the differences between neighbours by which that deviation is told; steps and outliers make the others."""
_CALM_NORMAL = NormalDist().inv_cdf((1 + _CALM) / 2) * math.sqrt(2)
"""That quantile of the differences between independent values of the standard normal."""
_WHOLE = 1 - 1e-12


def tamed(values: Floats) -> Floats:
    """Courses whose outlying runs are replaced by the median of the five around them. Shape (…, runs), five or more.

    What lasts for three runs stays as it is, also at the ends.
    """
    runs = values.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(values, 5, axis=-1)
    middle = np.median(windows, axis=-1)[..., np.clip(np.arange(runs), 2, runs - 3) - 2]
    steps = np.sort(np.abs(np.diff(values, axis=-1)), axis=-1)
    scale = steps[..., [math.ceil(_CALM * (runs - 1)) - 1]] / _CALM_NORMAL
    return np.where(np.abs(values - middle) > _FAR * scale + 1e-12 * np.abs(middle), middle, values)


@functools.lru_cache(maxsize=256)
def places(runs: int) -> tuple[Ints, Ints, Floats]:
    """First run, end and logarithm of the prior of each, those that last up to the end first. Shape (places,) each.

    Of long courses not every stretch that came back is looked at, but one of about every length at about every place.
    """
    stay = [(first, runs) for first in range(LEAST, runs - LEAST + 1)]
    back: list[tuple[int, int]] = []
    length = float(LEAST)
    while length <= runs - 2 * LEAST:
        lasts = int(length)
        back += [(at, at + lasts) for at in range(LEAST, runs - LEAST - lasts + 1, max(1, lasts // 5))]
        length = max(length * 1.2, length + 1)
    share = _BACK if back else 0.0
    prior = np.log([(1 - share) / len(stay)] * len(stay) + [share / max(1, len(back))] * len(back))
    found = np.array(stay + back)
    return found[:, 0], found[:, 1], prior


def weights(values: Floats) -> Floats:
    """Logarithm of the weight of each place. Shape (…, runs), `FEWEST` or more → (…, places)."""
    runs = values.shape[-1]
    first, end, prior = places(runs)
    centred = values - values.mean(axis=-1, keepdims=True)
    sums = np.concatenate((np.zeros((*values.shape[:-1], 1)), np.cumsum(centred, axis=-1)), axis=-1)
    length = end - first
    between = (sums[..., end] - sums[..., first]) ** 2 * (runs / (length * (runs - length)))
    whole = (centred**2).sum(axis=-1, keepdims=True)
    explained = np.clip(between / np.where(whole > 0, whole, 1.0), 0.0, _WHOLE)
    return np.asarray(prior - (runs - 1) / 2 * np.log1p(-explained))


def evidence(values: Floats) -> Floats:
    """Logarithm of the sum of all weights: how much speaks for a change. Shape (…, runs) → (…)."""
    each = weights(values)
    most = each.max(axis=-1)
    return np.asarray(most + np.log(np.exp(each - most[..., None]).sum(axis=-1)))


def likeliest(each: Floats) -> int:
    """Of the largest of some weights the first: what differs by rounding alone is equal."""
    return int(np.round(each, 6).argmax())


def lasting(values: Floats) -> Floats:
    """The weights of those places that last up to the end, from the `LEAST`-th run on."""
    return np.asarray(weights(values)[..., : values.shape[-1] - FEWEST + 1])
