"""How much speaks for a change in runs without one: p of what speaks for it in a course. NumPy alone, seeded."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from monitors.comparison.places import Floats, evidence, places, tamed

_BUDGET, _ENOUGH, _MOST = 3e6, 4_000, 10_000
"""Places that are weighed for one kind of noise, and how many courses that may be."""
_PER_COURSE = 40
"""Simulated courses for each that is judged at once, so that p can get as small as Holm's method asks."""
_AT_ONCE = 1e6
"""Places of all courses that are weighed at once: some ten megabytes for each array of them."""

NoChange = Callable[[Floats], Floats]
"""A tamed course → what speaks for a change in courses like it without one, sorted."""
_Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]


def of_noise(tested: int) -> NoChange:
    """Courses of noise, as long; at each rank that kind of noise counts of which the most speaks for a change.

    tested: courses that are judged at once.
    """
    return lambda values: _noise(len(values), _draws(len(values), tested))


def of_orders(tested: int) -> NoChange:
    """The course's own runs in any other order: right for values of any kind. tested: as of `of_noise`."""
    return lambda values: _orders(values, max(_ENOUGH, _PER_COURSE * tested))


def _draws(runs: int, tested: int) -> int:
    """How many courses are simulated of each kind of noise."""
    usual = min(_MOST, int(_BUDGET / len(places(runs)[0])))
    return max(_ENOUGH, _PER_COURSE * tested, usual)


def p_value(values: Floats, without: NoChange) -> float:
    """How often a course without a change has as much that speaks for one, itself counted."""
    if np.ptp(values) <= 1e-12 * np.abs(values).max(initial=0.0):
        return 1.0
    told = without(values)
    above = len(told) - int(np.searchsorted(told, float(evidence(values)) - 1e-9))
    return (1 + above) / (1 + len(told))


def holm(each: Sequence[float | None]) -> list[float | None]:
    """Adjusted so that the smallest is at most α with probability α where nothing is to be found."""
    ordered = sorted(p for p in each if p is not None)
    bounds = np.maximum.accumulate([(len(ordered) - rank) * p for rank, p in enumerate(ordered)])
    return [None if p is None else min(1.0, float(bounds[ordered.index(p)])) for p in each]


@functools.lru_cache(maxsize=128)
def _noise(runs: int, count: int) -> Floats:
    return np.asarray(np.max([_simulated(draw, runs, count) for draw in _NOISE], axis=0))


def _simulated(draw: _Draw, runs: int, count: int) -> Floats:
    chance = np.random.default_rng((runs, count))
    return np.sort(np.concatenate([evidence(tamed(draw(chance, (size, runs)))) for size in _parts(runs, count)]))


def _parts(runs: int, count: int) -> list[int]:
    most = max(1, int(_AT_ONCE / len(places(runs)[0])))
    return [min(most, count - done) for done in range(0, count, most)]


def _normal(chance: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return chance.standard_normal(shape)


def _heavy(chance: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return chance.standard_t(3, shape)


def _mixed(chance: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return np.asarray(chance.standard_normal(shape) * np.where(chance.random(shape) < 0.1, 8.0, 1.0))


def _one_far(chance: np.random.Generator, shape: tuple[int, int]) -> Floats:
    values = chance.standard_normal(shape)
    values[np.arange(shape[0]), chance.integers(0, shape[1], shape[0])] += 15.0
    return values


_NOISE: tuple[_Draw, ...] = (_normal, _heavy, _mixed, _one_far)


def _orders(values: Floats, draws: int) -> Floats:
    chance = np.random.default_rng(len(values))
    shuffled = (chance.permuted(np.tile(values, (size, 1)), axis=1) for size in _parts(len(values), draws))
    return np.sort(np.concatenate([evidence(tamed(each)) for each in shuffled]))
