"""Staircases fitted to a series: the best places for so many steps, by dynamic programming, O(steps · m² · k).

References: Bellman 1961; Auger and Lawrence 1989 (segment neighbourhood).
"""

from __future__ import annotations

import numpy as np

from monitors.detection.stats import Floats, Ints

FEWEST, _MOST = 2, 8
"""Jumps of a staircase."""


def stairs_weight(y: Floats, grain: float, power: float) -> Floats:
    """Log weight of all staircases: level but for up to so many jumps, each at its best place. y: shape (m, k)."""
    return np.asarray(np.logaddexp.reduce(stairs_weights(y, grain, power), axis=0))


def stairs_weights(y: Floats, grain: float, power: float = 0.0) -> Floats:
    """By the number of jumps, from `FEWEST` on: shape (numbers, k)."""
    m = len(y)
    jumps = np.arange(FEWEST, max(FEWEST, min(_MOST, m // 6)) + 1)
    left = stairs_left(y, int(jumps[-1])) + power
    # Each jump costs its size (BIC) and its place (one of m).
    weights = -(m * np.log(left / m + grain**2) + np.log(m) * (1 + jumps)[:, None]) / 2 - jumps[:, None] * np.log(m)
    return np.asarray(weights - np.log(10 * len(jumps)))


def stairs_left(y: Floats, most: int) -> Floats:
    """Least sum of squares about a staircase with 2, 3, … `most` jumps, shape (most - 1, k). y: shape (m, k)."""
    cost = _level_costs(y)
    best, out = cost[:, 0], []
    for jump in range(1, most + 1):
        best = np.min(cost + best[None, :], axis=1)
        if jump >= 2:
            out.append(best[-1])
    return np.stack(out)


def staircases(y: Floats, most: int) -> list[Ints]:
    """Where the best staircases of 1, 2, … `most` jumps step: index of the first block after each. y: shape (m,)."""
    cost = _level_costs(y[:, None])[:, :, 0]
    best, came, out = cost[:, 0], [], []
    for _ in range(most):
        through = cost + best[None, :]
        came.append(np.argmin(through, axis=1))
        best = np.min(through, axis=1)
        places = [len(y)]
        for before in reversed(came):
            places.append(int(before[places[-1]]))
        out.append(np.array(places[:0:-1], dtype=np.int64))
    return out


def _level_costs(y: Floats) -> Floats:
    """Sum of squares about one level from i to j, the end not included: shape (m + 1, m + 1, k), by j and i."""
    m, k = y.shape
    total = np.concatenate((np.zeros((1, k)), np.cumsum(y, axis=0)))
    square = np.concatenate((np.zeros((1, k)), np.cumsum(y * y, axis=0)))
    ends = np.arange(m + 1)
    size = np.maximum(np.subtract.outer(ends, ends), 1)[:, :, None]
    cost = square[:, None] - square[None, :] - (total[:, None] - total[None, :]) ** 2 / size
    return np.where(np.tri(m + 1, k=-1)[:, :, None] > 0, np.maximum(cost, 0.0), np.inf)
