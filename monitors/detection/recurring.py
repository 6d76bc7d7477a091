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
_UNFADED, _KEPT, _WARM = 6.0, 0.6, 0.125
"""Nats that steps lose which fade; the share that the later half keeps of the former where they do not; and the share
of a trial before which a step is of the warm-up."""
FEWEST_ALIKE = 5
"""Steps whose sizes tell something."""
_ANY = 1.0
"""The same of sizes of steps that have nothing in common."""
_UP = 0.75
"""Share of steps up among those that stand alone."""
_LENGTHS = 48


def recurs(places: Ints, y: Floats, may_end: bool = True) -> float:
    """Log odds that steps go on, evenly spaced, rather than stand alone; -inf where there are few, or any goes down.

    places: index of the first block after each, rising. y: blocks of the series, shape (m,). may_end: whether even
    steps that end before one was due, as those of a pool that fills, are held against it too.
    """
    if len(places) < FEWEST or places[0] == 0:
        return -math.inf
    m, count = len(y), len(places)
    levels = [float(np.median(part)) for part in np.split(y, places)]
    if (np.diff(levels) <= 0).any():
        return -math.inf
    sizes, gaps = np.diff(levels), np.diff(places).astype(np.float64)
    at, whole, up = places.astype(np.float64), float(m), count * math.log(_UP)
    alike = _alike(sizes, gaps)
    even = [_renewal(at, whole, uneven) for uneven in _UNEVEN]
    # Of a table or a pool that fills steps are even and alike as well, and end.
    filled = [_renewal(at, whole, uneven, ended=True) for uneven in _UNEVEN]
    anywhere = math.lgamma(count + 1) - count * math.log(m)
    alone = [anywhere + up, _ended(places, m) + up + alike]
    if may_end:
        alone.append(np.logaddexp.reduce(filled) - math.log(len(filled)) + alike)
    odds = np.logaddexp.reduce(even) - math.log(len(even)) + alike - np.logaddexp.reduce(alone) + math.log(len(alone))
    return float(odds) - _UNFADED * _fades(sizes[places >= _WARM * m])


def _fades(sizes: Floats) -> bool:
    """Whether the later half of the steps is plainly less than the half before: growth that comes to an end."""
    half = len(sizes) // 2
    return half > 0 and float(sizes[-half:].sum()) < _KEPT * float(sizes[:half].sum())


def _alike(sizes: Floats, gaps: Floats) -> float:
    """Log odds that steps are alike in size, or in size for the time since the last one, or neither, against neither.

    What is counted now and then steps by what has come since: after each step it lies on its line. The first step is
    left out, as nobody saw when its time began. Load that is raised in a few phases has such steps too, so of few this
    says nothing.
    """
    if len(sizes) < FEWEST_ALIKE:
        return 0.0
    logs = [np.log(sizes[1:]), np.log(sizes[1:] / gaps)]
    told = [_scattered(each, uneven) - _scattered(logs[0], _ANY) for each in logs for uneven in _UNEVEN[:-1]]
    return float(np.logaddexp(0.0, np.logaddexp.reduce(told) - math.log(len(told)))) - math.log(2)


def _scattered(logs: Floats, deviation: float) -> float:
    """Log density of normal values about a mean that may be anything."""
    off = logs - logs.mean()
    return -float(off @ off) / (2 * deviation**2) - (len(logs) - 1) * math.log(deviation)


def _ended(places: Ints, m: int) -> float:
    """Log density of places that are drawn from a part of the trial, up to an end that may lie anywhere."""
    count, last = len(places), float(places[-1])
    return math.lgamma(count + 1) + math.log((last ** (1 - count) - m ** (1 - count)) / ((count - 1) * m))


def _renewal(places: Floats, m: float, uneven: float, ended: bool = False) -> float:
    """Log density of the places if gaps are log-normal about a length that is not known.

    ended: whether no more come from some time on, which may be any: it lies after the last, and before one was due.
    """
    gaps = np.diff(places)
    length = np.geomspace(1.0, m, _LENGTHS)[:, None]
    off = np.log(gaps / length) / uneven
    inner = np.sum(-(off**2) / 2 - np.log(math.sqrt(2 * math.pi) * uneven * gaps), axis=1)
    first, last = (_longer(np.array([gap]), length, uneven)[:, 0] for gap in (places[0], m - places[-1]))
    if ended:
        last = np.log(np.minimum(length[:, 0], max(m - places[-1], 0.5)) / m)
    return float(np.logaddexp.reduce(inner + first - np.log(length[:, 0]) + last)) - math.log(_LENGTHS)


def _longer(gap: Floats, length: Floats, uneven: float) -> Floats:
    """Log probability that a gap is longer than what was seen of it."""
    return np.log(np.maximum(normal_cdf(-np.log(np.maximum(gap, 0.5) / length) / uneven), 1e-300))


def odds_of_steps(y: Floats, weights: Floats, fewest: int) -> tuple[float, int]:
    """Log weight of all staircases that recur, and how many steps the most probable of them has.

    y: shape (m,). weights: log weight of staircases of `fewest` and more steps, shape (n,).
    """
    found = staircases(y, fewest + len(weights) - 1)
    apart = [_apart(places) for places in found[fewest - 1 :]]
    told = [weight + recurs(places, y) for weight, places in zip(weights.tolist(), apart, strict=True)]
    return float(np.logaddexp.reduce(told)), len(apart[int(np.argmax(told))])


def go_on(jumps: Ints, y: Floats, margin: int) -> bool:
    """Whether jumps recur up to where any could be found, rather than stand alone; they may yet end there.

    jumps: index of the first block after each, rising. margin: blocks at either end in which none is found.
    """
    if len(jumps) < FEWEST:
        return False
    begin, end = min(margin, int(jumps[0]) - 1), max(len(y) - margin, int(jumps[-1]) + 1)
    return recurs(jumps - begin, y[begin:end], may_end=False) > 0


def _apart(places: Ints) -> Ints:
    """Without the second of two neighbours: a step within a block is a block of its own, between two levels."""
    return places[np.diff(places, prepend=-1) > 1]
