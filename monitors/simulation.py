"""Series whose truth is known, simulated: what leaks, and what only looks like it. For tests and benchmarks.

Every family takes a generator and times, shape (n,), and returns values, shape (n,), in units of its noise; `growth`
is what a leak adds over the whole span, in the same units. `simulate` turns them into bytes or counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from monitors.model import MetricSpec
from monitors.series import Floats, Series

Family = Callable[[np.random.Generator, Floats], Floats]
Leak = Callable[[np.random.Generator, Floats, float], Floats]

MEMORY = MetricSpec("anonymous_bytes", "bytes", "Simulated memory", "anonymous", judged=True)


def simulate(values: Floats, t: Floats, noise: float = 2.0**18, base: float = 2.0**28, grain: float = 4096.0) -> Series:
    """Values in units of noise → a series of memory in bytes, rounded to pages."""
    return Series(MEMORY, "", t, np.round((base + noise * values) / grain) * grain)


def ar1(generator: np.random.Generator, n: int, memory: float) -> Floats:
    """Noise whose neighbours correlate, standard deviation 1, shape (n,)."""
    shocks = generator.normal(size=n) * np.sqrt(1 - memory**2)
    out = np.empty(n)
    level = generator.normal()
    for i, shock in enumerate(shocks.tolist()):
        level = memory * level + shock
        out[i] = level
    return out


def _share(t: Floats) -> Floats:
    return np.asarray((t - t[0]) / (t[-1] - t[0]))


def _white(generator: np.random.Generator, t: Floats) -> Floats:
    return generator.normal(size=len(t))


def _quantised(generator: np.random.Generator, t: Floats) -> Floats:
    return np.asarray((generator.random(len(t)) < 0.1) * 0.02)


def _warm_up(generator: np.random.Generator, t: Floats) -> Floats:
    size, speed = generator.uniform(10, 60), generator.uniform(0.03, 0.12)
    return np.asarray(size * (1 - np.exp(-_share(t) / speed)) + _white(generator, t))


def _cache(generator: np.random.Generator, t: Floats) -> Floats:
    size, speed = generator.uniform(10, 60), generator.uniform(0.03, 0.12)
    x = _share(t)
    return np.asarray(size * x / (x + speed) + _white(generator, t))


def _entries(generator: np.random.Generator, t: Floats) -> Floats:
    """A cache of 100 entries, each step asking for one of them at random."""
    arrivals = np.sort(generator.exponential(generator.uniform(0.04, 0.1), size=100))
    return np.asarray(np.searchsorted(arrivals, _share(t)) * generator.uniform(0.1, 0.6) + 0.2 * _white(generator, t))


def _steps(count: int) -> Family:
    def family(generator: np.random.Generator, t: Floats) -> Floats:
        places = generator.uniform(0.15, 0.85, size=count)
        sizes = generator.uniform(5, 60, size=count)
        return np.asarray(np.sum(sizes * (_share(t)[:, None] > places), axis=1) + _white(generator, t))

    return family


def _spikes(generator: np.random.Generator, t: Floats) -> Floats:
    return np.asarray(_white(generator, t) + (generator.random(len(t)) < 0.02) * generator.uniform(10, 80))


def _sawtooth(generator: np.random.Generator, t: Floats) -> Floats:
    teeth = generator.uniform(8, 40)
    return np.asarray(generator.uniform(10, 60) * ((_share(t) * teeth + generator.random()) % 1) + _white(generator, t))


def _high_water(generator: np.random.Generator, t: Floats) -> Floats:
    """Memory that is reused, and kept at its highest: rises ever more rarely."""
    return np.asarray(8 * np.maximum.accumulate(np.abs(ar1(generator, len(t), 0.5))) + 0.2 * _white(generator, t))


def _coloured(memory: float) -> Family:
    return lambda generator, t: ar1(generator, len(t), memory)


BENIGN: Mapping[str, Family] = {
    "white noise": _white,
    "flat pages": _quantised,
    "AR(1) 0.95": _coloured(0.95),
    "AR(1) 0.99": _coloured(0.99),
    "warm-up": _warm_up,
    "cache, 1/t": _cache,
    "cache, entries": _entries,
    "one step": _steps(1),
    "two steps": _steps(2),
    "spikes": _spikes,
    "sawtooth": _sawtooth,
    "high-water mark": _high_water,
}
"""Families that do not leak."""


def _linear(generator: np.random.Generator, t: Floats, growth: float) -> Floats:
    return np.asarray(growth * _share(t) + _white(generator, t))


def _late(generator: np.random.Generator, t: Floats, growth: float) -> Floats:
    onset = generator.uniform(0.3, 0.6)
    return np.asarray(growth / (1 - onset) * np.maximum(_share(t) - onset, 0) + _white(generator, t))


def _stairs(generator: np.random.Generator, t: Floats, growth: float) -> Floats:
    count = int(generator.integers(12, 30))
    return np.asarray(growth / count * np.floor(_share(t) * count + generator.random()) + _white(generator, t))


def _warm_then(generator: np.random.Generator, t: Floats, growth: float) -> Floats:
    return np.asarray(_warm_up(generator, t) + growth * _share(t))


def _teeth_then(generator: np.random.Generator, t: Floats, growth: float) -> Floats:
    return np.asarray(_sawtooth(generator, t) + growth * _share(t))


def _step_then(generator: np.random.Generator, t: Floats, growth: float) -> Floats:
    return np.asarray(_steps(1)(generator, t) + growth * _share(t))


def _coloured_leak(generator: np.random.Generator, t: Floats, growth: float) -> Floats:
    return np.asarray(growth * _share(t) + ar1(generator, len(t), 0.95))


def _accelerating(generator: np.random.Generator, t: Floats, growth: float) -> Floats:
    return np.asarray(growth * _share(t) ** 2 + _white(generator, t))


LEAKS: Mapping[str, Leak] = {
    "linear": _linear,
    "linear, AR(1) 0.95": _coloured_leak,
    "late onset": _late,
    "every k-th step": _stairs,
    "after a warm-up": _warm_then,
    "with a step": _step_then,
    "under a sawtooth": _teeth_then,
    "accelerating": _accelerating,
}
"""Families that leak."""
