"""Floors whose truth is known, simulated: what a process held after each clean-up. For tests and benchmarks.

Floors are few, evenly spaced and nearly without noise: whole pages that come and go, a warm-up within the first of
them, caches that fill, allocators that take memory in chunks. All amounts are in pages; `draw` makes one series, the
same everywhere for the same family, noise, count, growth and seed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from monitors.detection.series import Floats, Series
from monitors.model import MetricSpec

Generator = np.random.Generator
Shape = Callable[[Generator, Floats], Floats]
"""Takes a generator and shares of the trial, shape (n,), 0 to 1. Returns pages, shape (n,)."""
Growth = Callable[[Generator, Floats], tuple[Floats, float]]
"""Growth of 1 over the whole trial, shape (n,), and its rate over the last third, per whole trial."""

FLOOR = MetricSpec("floor_host_heap_bytes", "bytes", "Simulated floor", "host_heap", judged=True)
COUNTS = (12, 24, 60)
"""Floors of a trial."""
PAGE = 4096.0
_APART = 60.0
"""Seconds between two."""
_STEPS_A_SECOND = 50.0
_BASE = 20000.0


@dataclass(frozen=True, slots=True)
class SimulatedFloors:
    """One series. rate: of growth over its last third, in bytes an hour; 0 where it does not leak."""

    family: str
    noise: str
    series: Series
    rate: float


def draw(family: str, noise: str, count: int, growth: float, seed: int) -> SimulatedFloors:
    """One series of a family of `STILL` (then `growth` is ignored) or `LEAKING`.

    growth: pages over the whole trial.
    """
    generator = np.random.default_rng([seed, count, zlib.crc32(family.encode()), zlib.crc32(noise.encode())])
    x = np.linspace(0.0, 1.0, count)
    pages, rate = _BASE + NOISES[noise](generator, count), 0.0
    if family in STILL:
        pages = pages + STILL[family](generator, x)
    else:
        manner, background = LEAKING[family]
        course, speed = manner(generator, x)
        pages, rate = pages + background(generator, x) + growth * course, growth * speed
    t = _APART * np.arange(1.0, count + 1)
    hours = (t[-1] - t[0]) / 3600
    return SimulatedFloors(
        family, noise, Series(FLOOR, "", t, PAGE * np.round(pages), steps=_STEPS_A_SECOND * t), PAGE * rate / hours
    )


NOISES: Mapping[str, Callable[[Generator, int], Floats]] = {
    "clean": lambda generator, n: np.zeros(n),
    "pages": lambda generator, n: np.asarray((generator.random(n) < 0.15) * generator.integers(1, 4, n)),
    "jitter": lambda generator, n: np.asarray(generator.integers(0, 5, n), dtype=np.float64),
    "rough": lambda generator, n: np.asarray(generator.normal(0.0, 12.0, n)),
}
"""Noise in pages: none, a few pages now and then, up to four every time, and normal of 48 KiB."""


def _size(generator: Generator, least: float, most: float) -> float:
    return float(np.exp(generator.uniform(np.log(least), np.log(most))))


def _flat(generator: Generator, x: Floats) -> Floats:
    return np.zeros(len(x))


def _warm_up(generator: Generator, x: Floats) -> Floats:
    """Within the first few floors."""
    passed = np.arange(len(x)) / generator.uniform(0.3, min(2.0, 0.08 * len(x)))
    return np.asarray(_size(generator, 50, 20000) * -np.expm1(-passed))


def _step(generator: Generator, x: Floats) -> Floats:
    return np.asarray(_size(generator, 64, 16384) * (x > generator.uniform(0.1, 0.85)))


def _two_steps(generator: Generator, x: Floats) -> Floats:
    early, late = generator.uniform(0.1, 0.5), generator.uniform(0.5, 0.85)
    return np.asarray(_size(generator, 64, 16384) * (x > early) + _size(generator, 64, 16384) * (x > late))


def _filled(generator: Generator, x: Floats) -> Floats:
    """A cache that fills steadily, and is full."""
    return np.asarray(_size(generator, 200, 20000) * np.minimum(x / generator.uniform(0.2, 0.6), 1.0))


def _entries(generator: Generator, x: Floats) -> Floats:
    """A cache with a bounded number of entries, each step asking for one of them at random."""
    count = int(generator.integers(20, 200))
    arrivals = np.sort(generator.exponential(generator.uniform(0.04, 0.1), size=count))
    return np.asarray(np.searchsorted(arrivals, x) * (_size(generator, 2000, 20000) / count))


def _chunks_end(generator: Generator, x: Floats) -> Floats:
    """An allocator that takes its memory in chunks until it has enough."""
    count, end = int(generator.integers(3, 8)), generator.uniform(0.3, 0.6)
    return np.asarray(_size(generator, 16, 2048) * np.minimum(np.floor(x / end * count), count))


def _both(first: Shape, second: Shape) -> Shape:
    return lambda generator, x: first(generator, x) + second(generator, x)


STILL: Mapping[str, Shape] = {
    "flat": _flat,
    "warm-up": _warm_up,
    "one step": _step,
    "two steps": _two_steps,
    "warm-up and a step": _both(_warm_up, _step),
    "cache that fills": _filled,
    "cache, entries": _entries,
    "chunks that end": _chunks_end,
}
"""Families that do not leak."""


def _linear(generator: Generator, x: Floats) -> tuple[Floats, float]:
    return x, 1.0


def _late(generator: Generator, x: Floats) -> tuple[Floats, float]:
    onset = generator.uniform(0.2, 0.5)
    return np.maximum(x - onset, 0.0) / (1 - onset), 1 / (1 - onset)


def _chunks(generator: Generator, x: Floats) -> tuple[Floats, float]:
    """Chunks as coarse as a third of the floors, or finer."""
    count = int(generator.integers(max(5, len(x) // 3), len(x)))
    return np.floor(x * count + generator.random()) / count, 1.0


LEAKING: Mapping[str, tuple[Growth, Shape]] = {
    "linear": (_linear, _flat),
    "late onset": (_late, _flat),
    "in chunks": (_chunks, _flat),
    "beside a warm-up": (_linear, _warm_up),
    "with a step": (_linear, _step),
    "beside a cache": (_linear, _filled),
}
"""Families that leak: how they grow, and beside what."""
