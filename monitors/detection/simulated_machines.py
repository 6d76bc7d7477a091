"""Memory in use of whole machines that do not leak, simulated: it wanders, follows the day, and holds jobs for a while.

In deviations of what wanders, like `monitors.detection.simulation`. The same kind, times and seed make the same trace.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

import numpy as np

from monitors.detection.series import Floats
from monitors.detection.simulation import coloured

DAY = 86_400.0
_MEMORY, _WAIT = 0.97, 10.0
"""Correlation of what wanders, so many seconds apart."""

Generator = np.random.Generator


def machine(kind: str, t: Floats, seed: int) -> Floats:
    """A machine of `MACHINES` at times `t`, seconds, evenly apart, shape (n,)."""
    generator = np.random.default_rng([seed, zlib.crc32(kind.encode()), len(t)])
    wanders = coloured(float(_MEMORY ** ((t[1] - t[0]) / _WAIT)))(generator, len(t))
    return wanders + sum((part(generator, t) for part in MACHINES[kind]), np.zeros(len(t)))


def _day(generator: Generator, t: Floats) -> Floats:
    """Load that follows the day: one swing, more or less pointed, from night to night."""
    angle = 2 * np.pi * (t / DAY + generator.random())
    pointed = generator.uniform(-0.2, 0.2) * np.cos(2 * angle + generator.uniform(0, 2 * np.pi))
    return np.asarray(generator.uniform(1.0, 8.0) * (np.sin(angle) + pointed))


def _jobs(generator: Generator, t: Floats) -> Floats:
    """Jobs that come and go: each holds its memory while it runs, minutes to hours."""
    span = float(t[-1] - t[0])
    begins = t[0] + generator.uniform(-0.5, 1.0, size=int(generator.integers(8, 60))) * span
    lasts = np.exp(generator.uniform(np.log(300.0), np.log(4 * 3600.0), size=len(begins)))
    sizes = generator.exponential(generator.uniform(0.5, 4.0), size=len(begins))
    held = np.zeros(len(t))
    for begin, end, size in zip(begins, begins + lasts, sizes, strict=True):
        held[np.searchsorted(t, begin) : np.searchsorted(t, end)] += size
    return held


MACHINES: Mapping[str, tuple[Callable[[Generator, Floats], Floats], ...]] = {
    "wandering": (),
    "daily load": (_day,),
    "jobs": (_jobs,),
    "daily load and jobs": (_day, _jobs),
}
"""Kinds of machines: what is added to what wanders."""
