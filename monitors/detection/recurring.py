"""Steps up that recur, as a leak of a whole epoch, checkpoint or client at a time, of which a trial sees a few.

A staircase of few steps may be that, or a few steps that stand alone. What tells them apart is that they all go up, how
evenly they are spaced, and that the trial does not end long after the last: a renewal process against places drawn at
random. Reference: Cox 1962 (renewal theory: the first gap and the last are cut off).
"""

from __future__ import annotations

import math

import numpy as np

from monitors.detection.stairs import staircases
from monitors.detection.stats import Floats, Ints, normal_cdf

FEWEST = 3
"""Steps that can recur: two have one gap between them, which is even in any case."""
_UNEVEN = (0.1, 0.3, 0.6)
"""Standard deviations of the logarithm of gaps that are even."""
_UP = 0.75
"""Share of steps up among those that stand alone."""
_LENGTHS = 48


def recurs(places: Ints, y: Floats) -> float:
    """Log odds that steps go on, evenly spaced, rather than stand alone; -inf where there are few, or any goes down.

    places: index of the first block after each, rising. y: blocks of the series, shape (m,).
    """
    if len(places) < FEWEST or places[0] == 0:
        return -math.inf
    m, count = len(y), len(places)
    levels = [float(np.median(part)) for part in np.split(y, places)]
    if (np.diff(levels) <= 0).any():
        return -math.inf
    even = np.logaddexp.reduce([_renewal(places.astype(np.float64), float(m), uneven) for uneven in _UNEVEN])
    anywhere = math.lgamma(count + 1) - count * math.log(m)
    alone = np.logaddexp(anywhere, _ended(places, m)) - math.log(2)
    return float(even - alone) - math.log(len(_UNEVEN)) - count * math.log(_UP)


def _ended(places: Ints, m: int) -> float:
    """Log density of places that are drawn from a part of the trial, up to an end that may lie anywhere."""
    count, last = len(places), float(places[-1])
    return math.lgamma(count + 1) + math.log((last ** (1 - count) - m ** (1 - count)) / ((count - 1) * m))


def _renewal(places: Floats, m: float, uneven: float) -> float:
    """Log density of the places if gaps are log-normal about a length that is not known."""
    gaps = np.diff(places)
    length = np.geomspace(1.0, m, _LENGTHS)[:, None]
    off = np.log(gaps / length) / uneven
    inner = np.sum(-(off**2) / 2 - np.log(math.sqrt(2 * math.pi) * uneven * gaps), axis=1)
    first, last = (_longer(np.array([gap]), length, uneven)[:, 0] for gap in (places[0], m - places[-1]))
    return float(np.logaddexp.reduce(inner + first - np.log(length[:, 0]) + last)) - math.log(_LENGTHS)


def _longer(gap: Floats, length: Floats, uneven: float) -> Floats:
    """Log probability that a gap is longer than what was seen of it."""
    return np.log(np.maximum(normal_cdf(-np.log(np.maximum(gap, 0.5) / length) / uneven), 1e-300))


def odds_of_steps(y: Floats, weights: Floats, fewest: int) -> float:
    """Log weight of all staircases that recur.

    y: shape (m,). weights: log weight of staircases of `fewest` and more steps, shape (n,).
    """
    found = staircases(y, fewest + len(weights) - 1)
    told = [
        weight + recurs(_apart(places), y) for weight, places in zip(weights.tolist(), found[fewest - 1 :], strict=True)
    ]
    return float(np.logaddexp.reduce(told))


def go_on(jumps: Ints, y: Floats, margin: int) -> bool:
    """Whether jumps recur up to where any could be found, rather than stand alone.

    jumps: index of the first block after each, rising. margin: blocks at either end in which none is found.
    """
    if len(jumps) < FEWEST:
        return False
    begin, end = min(margin, int(jumps[0]) - 1), max(len(y) - margin, int(jumps[-1]) + 1)
    return recurs(jumps - begin, y[begin:end]) > 0


def _apart(places: Ints) -> Ints:
    """Without the second of two neighbours: a step within a block is a block of its own, between two levels."""
    return places[np.diff(places, prepend=-1) > 1]
