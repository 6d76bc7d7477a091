"""Traces whose truth is known, simulated: what leaks, and what only looks like it. For tests, calibration, benchmarks.

A trace is a background (what it does without leaking), noise of one kind, and, if it leaks, growth of one manner. All
are drawn in units of the noise's standard deviation; `bytes_of` turns them into a series of memory. `draw` makes one
trace; the same family, grid, growth and seed make the same trace everywhere.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from monitors.detection.series import Floats, Series
from monitors.model import MetricSpec

Generator = np.random.Generator
Shape = Callable[[Generator, Floats], Floats]
"""Takes a generator and shares of the trial, shape (n,), 0 to 1. Returns shape (n,)."""

MEMORY = MetricSpec("anonymous_bytes", "bytes", "Simulated memory", "anonymous", judged=True)


@dataclass(frozen=True, slots=True)
class SimulatedTrace:
    """One simulated trace.

    values: shape (n,), in noise deviations. growth: over the whole trace, 0 where it does not leak. noise: its kind.
    rate: of growth over the last third of the trace, per whole trace; 0 where it does not leak.
    """

    family: str
    noise: str
    t: Floats
    values: Floats
    growth: float
    rate: float

    @property
    def leaks(self) -> bool:
        """The truth."""
        return self.growth > 0


def bytes_of(trace: SimulatedTrace, deviation: float = 2.0**20, base: float = 2.0**29, grain: float = 4096.0) -> Series:
    """The trace as memory in bytes, `deviation` bytes for one deviation of its noise, rounded to whole grains."""
    return Series(MEMORY, "", trace.t, np.round((base + deviation * trace.values) / grain) * grain)


def draw(family: str, noise: str, t: Floats, growth: float, seed: int, noise_seed: int | None = None) -> SimulatedTrace:
    """One trace of a family of `BENIGN` (then `growth` is ignored) or `LEAKS`.

    growth: over the whole trace, in deviations of all that stays beside it: noise, and swings that never end.
    t: seconds, shape (n,), rising. noise_seed: draws the noise anew, and leaves the rest as it is.
    """
    names = zlib.crc32(family.encode()), zlib.crc32(noise.encode()), len(t)
    generator = np.random.default_rng([seed, *names])
    x = (t - t[0]) / (t[-1] - t[0])
    rest = NOISES[noise](np.random.default_rng([seed if noise_seed is None else noise_seed, 1, *names]), len(t))
    values, rate = rest, 0.0
    if family in BENIGN:
        values, growth = rest + BENIGN[family](generator, x), 0.0
    else:
        leak = LEAKS[family]
        values = rest + leak.background(generator, x)
        deviation = float(np.std(values[x > _SETTLED])) if leak.swings else 1.0
        manner, speed = leak.growth(generator, x)
        values, rate = values + growth * deviation * manner, growth * deviation * speed
    return SimulatedTrace(family, noise, t, np.round(values) if noise == COARSE else values, growth, rate)


# ---- noise, standard deviation 1


def coloured(memory: float) -> Callable[[Generator, int], Floats]:
    """Noise whose neighbours correlate by `memory`, stationary from the start."""

    def noise(generator: Generator, n: int) -> Floats:
        shocks = generator.normal(size=n) * np.sqrt(1 - memory**2)
        shocks[0] = generator.normal()
        walk = itertools.accumulate(shocks.tolist(), lambda level, shock: memory * level + shock)
        return np.fromiter(walk, np.float64, n)

    return noise


def _heavy(generator: Generator, n: int) -> Floats:
    """Student's t with 3 degrees of freedom: a sample in a hundred lies beyond 2.6 deviations."""
    return np.asarray(generator.standard_t(3, size=n) / np.sqrt(3))


def _mixed(generator: Generator, n: int) -> Floats:
    """What wanders slowly, and white noise on top."""
    return np.asarray(0.8 * coloured(0.98)(generator, n) + 0.6 * generator.normal(size=n))


COARSE = "coarse"
"""White, and all of the trace rounded to whole deviations."""

NOISES: Mapping[str, Callable[[Generator, int], Floats]] = {
    "white": lambda generator, n: generator.normal(size=n),
    "AR 0.6": coloured(0.6),
    "AR 0.9": coloured(0.9),
    "AR 0.98": coloured(0.98),
    "heavy": _heavy,
    COARSE: lambda generator, n: generator.normal(size=n),
    "mixed": _mixed,
}

# ---- backgrounds

_SETTLED = 0.4


def _size(generator: Generator, least: float = 4.0, most: float = 80.0) -> float:
    return float(np.exp(generator.uniform(np.log(least), np.log(most))))


def _flat(generator: Generator, x: Floats) -> Floats:
    return np.zeros(len(x))


def _pages(generator: Generator, x: Floats) -> Floats:
    """Constant but for a page now and then."""
    return np.asarray((generator.random(len(x)) < 0.1) * generator.uniform(0.5, 3.0))


def _walk(generator: Generator, x: Floats) -> Floats:
    """Fragmentation: wanders for long, within bounds."""
    memory = np.exp(-1 / (len(x) * generator.uniform(0.005, 0.02)))
    return generator.uniform(1, 4) * coloured(float(memory))(generator, len(x))


def _warm_up(generator: Generator, x: Floats) -> Floats:
    return np.asarray(_size(generator) * -np.expm1(-x / generator.uniform(0.01, 0.1)))


def _slow_warm_up(generator: Generator, x: Floats) -> Floats:
    return np.asarray(_size(generator, 8.0) * -np.expm1(-x / generator.uniform(0.1, 0.2)))


def _hyperbola(generator: Generator, x: Floats) -> Floats:
    """A cache whose misses become rare as 1/t²."""
    return np.asarray(_size(generator, 8.0) * x / (x + generator.uniform(0.02, 0.08)))


def _entries(generator: Generator, x: Floats) -> Floats:
    """A cache with a bounded number of entries, each step asking for one of them at random."""
    count = int(generator.integers(30, 300))
    arrivals = np.sort(generator.exponential(generator.uniform(0.03, 0.1), size=count))
    return np.asarray(np.searchsorted(arrivals, x) * (_size(generator, 8.0) / count))


def _logarithm(generator: Generator, x: Floats) -> Floats:
    """Growth whose rate fades as 1/t: an allocator's, or a cache's with a long tail of keys."""
    return np.asarray(_size(generator, 8.0) * np.log1p(x / 0.003) / np.log1p(1 / 0.003))


def _steps(least: int, most: int) -> Shape:
    def steps(generator: Generator, x: Floats) -> Floats:
        count = int(generator.integers(least, most + 1))
        places = generator.uniform(0.1, 0.85, size=count)
        sizes = np.array([_size(generator) for _ in range(count)]) * generator.choice([1, 1, 1, -1], size=count)
        return np.asarray(np.sum(sizes * (x[:, None] > places), axis=1))

    return steps


def _ended_stairs(generator: Generator, x: Floats) -> Floats:
    """A staircase of several stairs that ends: a table that doubles, a pool that fills."""
    count, end = int(generator.integers(4, 12)), generator.uniform(0.3, 0.7)
    return np.asarray(_size(generator, 8.0) * np.minimum(np.floor(x / end * count), count) / count)


def _ended_ramp(generator: Generator, x: Floats) -> Floats:
    """Steady growth that ends: a buffer that fills."""
    return np.asarray(_size(generator, 8.0) * np.minimum(x / generator.uniform(0.25, 0.7), 1.0))


def _sawtooth(generator: Generator, x: Floats) -> Floats:
    """Garbage that is collected."""
    teeth = generator.uniform(6, 60)
    return np.asarray(_size(generator) * ((x * teeth + generator.random()) % 1))


def _wave(generator: Generator, x: Floats) -> Floats:
    """Load that comes and goes, as by day and night."""
    turns = generator.uniform(1.5, 12)
    return np.asarray(_size(generator, 3.0, 30.0) * np.sin(2 * np.pi * (turns * x + generator.random())))


def _phases(generator: Generator, x: Floats) -> Floats:
    """Load that is on or off."""
    edges = np.sort(generator.random(int(generator.integers(4, 16))))
    return np.asarray(_size(generator, 3.0, 30.0) * (np.searchsorted(edges, x) % 2))


def _spikes(generator: Generator, x: Floats) -> Floats:
    return np.asarray((generator.random(len(x)) < 0.02) * _size(generator, 8.0))


def _high_water(generator: Generator, x: Floats) -> Floats:
    """Memory kept at the highest that was ever needed: rises ever more rarely."""
    needs = np.abs(coloured(0.5)(generator, len(x)))
    return np.asarray(generator.uniform(2, 10) * np.maximum.accumulate(needs))


def _release(generator: Generator, x: Floats) -> Floats:
    """Memory that is slowly given back."""
    return np.asarray(-_size(generator) * x)


BENIGN: Mapping[str, Shape] = {
    "flat": _flat,
    "flat pages": _pages,
    "fragmentation": _walk,
    "warm-up": _warm_up,
    "slow warm-up": _slow_warm_up,
    "cache, hyperbola": _hyperbola,
    "cache, entries": _entries,
    "cache, logarithm": _logarithm,
    "one step": _steps(1, 1),
    "steps": _steps(2, 4),
    "ended stairs": _ended_stairs,
    "ended ramp": _ended_ramp,
    "sawtooth": _sawtooth,
    "wave": _wave,
    "phases": _phases,
    "spikes": _spikes,
    "high-water mark": _high_water,
    "release": _release,
}
"""Families that do not leak."""

# ---- growth, 1 over the whole trace, and its rate


def _linear(generator: Generator, x: Floats) -> tuple[Floats, float]:
    return x, 1.0


def _late(generator: Generator, x: Floats) -> tuple[Floats, float]:
    onset = generator.uniform(0.25, 0.65)
    return np.maximum(x - onset, 0.0) / (1 - onset), 1 / (1 - onset)


def _stairs(generator: Generator, x: Floats) -> tuple[Floats, float]:
    count = int(generator.integers(12, 60))
    return np.floor(x * count + generator.random()) / count, 1.0


def _arrivals(generator: Generator, x: Floats) -> tuple[Floats, float]:
    """Equal losses at random times."""
    times = np.sort(generator.random(int(generator.integers(40, 400))))
    return np.searchsorted(times, x) / len(times), 1.0


def _accelerating(generator: Generator, x: Floats) -> tuple[Floats, float]:
    power = generator.uniform(1.6, 2.4)
    return x**power, 3 * (1 - (2 / 3) ** power)


def _bursts(generator: Generator, x: Floats) -> tuple[Floats, float]:
    """Leaks under load, which is on half of the time, in many turns."""
    turns = generator.uniform(8, 30)
    turn = x * turns
    return (np.floor(turn) + np.minimum(2 * (turn % 1), 1.0)) / turns, 1.0


@dataclass(frozen=True, slots=True)
class Leak:
    """A manner of growth before a background. swings: whether the background goes on as long as the trace."""

    growth: Callable[[Generator, Floats], tuple[Floats, float]]
    background: Shape = _flat
    swings: bool = False


LEAKS: Mapping[str, Leak] = {
    "linear": Leak(_linear),
    "late onset": Leak(_late),
    "stairs": Leak(_stairs),
    "arrivals": Leak(_arrivals),
    "accelerating": Leak(_accelerating),
    "bursts": Leak(_bursts),
    "after a warm-up": Leak(_linear, _warm_up),
    "beside a cache": Leak(_linear, _entries),
    "with a step": Leak(_linear, _steps(1, 1)),
    "with spikes": Leak(_linear, _spikes),
    "under a sawtooth": Leak(_linear, _sawtooth, swings=True),
    "under a wave": Leak(_linear, _wave, swings=True),
    "under phases": Leak(_linear, _phases, swings=True),
    "with fragmentation": Leak(_linear, _walk, swings=True),
}
"""Families that leak."""
