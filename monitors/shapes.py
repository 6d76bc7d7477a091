"""Which shape fits a series best: shapes without lasting growth against the same shapes with growth on top.

A shape is a linear model of the time x, 0 at the start of the trial and 1 at its end. All shapes, each under several
kinds of correlated noise, are fitted at once by projection, to many series at once. Their Bayesian information criteria
(BIC) say how strongly the series asks for lasting growth: that is what tells a leak from a cache that fills, a slow
warm-up, a step or noise that wanders.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from monitors.stats import Floats, Ints, orthonormal, whitener

_NOISES = ((0.0, 0.0), (0.5, 0.0), (0.8, 0.0), (0.93, 0.0), (0.985, 0.0), (0.985, 1.0))
"""Correlation of neighbouring blocks, and white noise on top: white, AR(1), near a random walk, walk plus white."""

_DECAYS = (0.04, 0.06, 0.09, 0.13, 0.18, 0.25, 0.35)
_LOGS = (0.01, 0.03, 0.1)
_HYPERBOLAS = (0.02, 0.035, 0.05, 0.08, 0.12, 0.2, 0.35)
_STOPS = tuple(np.linspace(0.15, 0.9, 11).round(3))
_ONSETS = tuple(np.linspace(0.2, 0.75, 12).round(3))
_PERIODS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
_LATE = 0.65
_SETTLED = 0.35
"""A stop or decay before this share of the trial is a warm-up, a later one a cache that filled."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One model: a constant, `columns` without lasting growth, and the column `growth` if it grows.

    name: as in `Finding.shape`. place: x of its step, stop or onset. settled: x from which only growth is left to see.
    parameters: fitted ones, places and time constants included.
    """

    name: str
    columns: tuple[Floats, ...] = ()
    growth: Floats | None = None
    place: float | None = None
    settled: float = 0.0
    parameters: int = 1


def _still(x: Floats) -> Iterator[Shape]:
    """Every shape without lasting growth."""
    yield Shape("flat")
    for tau in _DECAYS:
        yield Shape(_named(3 * tau), (np.exp(-x / tau),), settled=3 * tau, parameters=3)
    for tau in _LOGS:
        yield Shape("saturating", (np.log1p(x / tau),), settled=1.0, parameters=3)
    for tau in _HYPERBOLAS:
        yield Shape("saturating", (x / (x + tau),), settled=1.0, parameters=3)
    for stop in _STOPS:
        # That growth should stop just before the trial does would be a coincidence, and costs a parameter.
        cost = 3 if stop < _LATE else 4
        yield Shape(_named(stop), (np.minimum(x, stop),), place=stop, settled=stop, parameters=cost)
    for period in _PERIODS:
        angle = 2 * np.pi * period * x
        yield Shape("periodic", (np.sin(angle), np.cos(angle)), parameters=4)
    for place in (x[1:] + x[:-1]) / 2:
        step = (x > place).astype(np.float64)
        yield Shape("step", (step,), place=place, parameters=3)
        for tau in _DECAYS[:5:2]:
            yield Shape("step", (np.exp(-x / tau), step), place=place, settled=3 * tau, parameters=5)
    places = (x[1:] + x[:-1])[:: max(1, len(x) // 12)] / 2
    for i, place in enumerate(places):
        for later in places[i + 1 :]:
            steps = (x > place).astype(np.float64), (x > later).astype(np.float64)
            yield Shape("step", steps, place=place, parameters=5)


def _named(settled: float) -> str:
    return "warm-up" if settled <= _SETTLED else "saturating"


def _growing(x: Floats, still: tuple[Shape, ...]) -> Iterator[tuple[int, Shape]]:
    """Every shape with lasting growth, and the index of the shape that it extends."""
    for i, base in enumerate(still):
        lasting = base.name == "saturating" or (base.name == "step" and len(base.columns) > 1 and base.settled == 0)
        if not lasting or (base.place is not None and base.settled <= 0.5):
            name = "linear" if base.name in ("flat", "warm-up", "saturating") else f"linear, {base.name}"
            yield i, Shape(name, base.columns, x, base.place, base.settled, base.parameters + 1)
        if base.name == "flat" or (base.name == "warm-up" and base.place is None):
            for onset in _ONSETS:
                column = np.maximum(x - onset, 0.0)
                yield i, Shape("late onset", base.columns, column, onset, onset, base.parameters + 2)
    yield 0, Shape("accelerating", (), x * x, parameters=2)


@dataclass(frozen=True, slots=True, eq=False)
class Dictionary:
    """Every shape over one grid of times, made ready for projection.

    still, growing: the shapes. extends: index in `still` of what each growing shape extends, shape (growing,).
    basis: orthonormal whitened columns of the still shapes, shape (noises, still, 3, m). extra: the direction that
    growth adds to each, shape (noises, growing, m), and its length before it was normed, shape (noises, growing).
    """

    x: Floats
    still: tuple[Shape, ...]
    growing: tuple[Shape, ...]
    extends: Ints
    basis: Floats
    extra: Floats
    length: Floats


def dictionary(x: Floats) -> Dictionary:
    """Every shape over the times `x`, shape (m,), rising within 0 to 1. Kept for the next series on the same grid."""
    return _dictionary(x.tobytes())


@functools.lru_cache(maxsize=32)
def _dictionary(grid: bytes) -> Dictionary:
    x = np.frombuffer(grid)
    m = len(x)
    # A model must leave more to explain than it has parameters.
    still = tuple(shape for shape in _still(x) if shape.parameters <= m / 3)
    pairs = [(i, shape) for i, shape in _growing(x, still) if shape.parameters <= m / 3 + 1]
    extends = np.array([i for i, _ in pairs])
    columns = [np.ones((len(still), m)), np.zeros((len(still), m)), np.zeros((len(still), m))]
    for i, shape in enumerate(still):
        for k, column in enumerate(shape.columns):
            columns[k + 1][i] = column
    growth = np.array([shape.growth for _, shape in pairs])
    parts = [_under_noise(columns, growth, extends, whitener(m, *noise)) for noise in _NOISES]
    basis, extra, length = (np.ascontiguousarray(part) for part in map(np.stack, zip(*parts, strict=True)))
    return Dictionary(x, still, tuple(shape for _, shape in pairs), extends, basis, extra, length)


def _under_noise(columns: list[Floats], growth: Floats, extends: Ints, whiten: Floats) -> tuple[Floats, Floats, Floats]:
    """Basis, extra direction and its length under one kind of noise, folded with the whitening matrix."""
    whitened = [column @ whiten.T for column in columns]
    basis, _ = orthonormal(whitened)
    directions, lengths = orthonormal([*(b[extends] for b in basis), growth @ whiten.T])
    folded = np.stack([b @ whiten for b in basis], axis=1)
    return folded, directions[-1] @ whiten, lengths[-1]


@dataclass(frozen=True, slots=True)
class Fits:
    """The best still and the best growing shape of each of k series, every array of shape (k,).

    still, growing: index in the dictionary. still_noise, growing_noise: index of the noise.
    evidence: half the difference of their BIC, in nats; above 0 the series asks for growth.
    rate: of the growing shape, per unit of x. error: its standard error. freedom: degrees of freedom left.
    """

    still: Ints
    still_noise: Ints
    growing: Ints
    growing_noise: Ints
    evidence: Floats
    rate: Floats
    error: Floats
    freedom: Floats


def fit(book: Dictionary, series: Floats, grain: float) -> Fits:
    """Fit every shape to every row of `series`, shape (k, m).

    grain: standard deviation below which differences mean nothing (quantisation), in the series' unit, above 0.
    """
    y = (series - series[:, :1]).T
    m, k = y.shape
    noises, still, _, _ = book.basis.shape
    power = np.stack([np.sum((whitener(m, *noise) @ y) ** 2, axis=0) for noise in _NOISES])
    found = (book.basis.reshape(-1, m) @ y).reshape(noises, still, 3, k)
    left = np.maximum(power[:, None, :] - np.sum(found**2, axis=2), 0.0)
    # 1 and later columns were projected out; the first column is the constant.
    gain = (book.extra.reshape(-1, m) @ y).reshape(noises, -1, k)
    rest = np.maximum(left[:, book.extends] - gain**2, 0.0)
    length = np.where(book.length > 0, book.length, np.inf)[:, :, None]
    rate = gain / length
    cost = np.log(m)
    still_bic = m * np.log(left / m + grain**2) + cost * _parameters(book.still)[None, :, None]
    grown_bic = m * np.log(rest / m + grain**2) + cost * _parameters(book.growing)[None, :, None]
    grown_bic = np.where(rate > 0, grown_bic, np.inf)
    j, s = _best(still_bic)
    i, g = _best(grown_bic)
    each = np.arange(k)
    freedom = np.maximum(m - _parameters(book.growing)[g], 1.0)
    error = np.sqrt(rest[i, g, each] / freedom + grain**2) / length[i, g, 0]
    evidence = (still_bic[j, s, each] - grown_bic[i, g, each]) / 2
    return Fits(s, j, g, i, evidence, rate[i, g, each], error, freedom)


def _parameters(shapes: tuple[Shape, ...]) -> Floats:
    return np.array([shape.parameters for shape in shapes], dtype=np.float64)


def _best(bic: Floats) -> tuple[Ints, Ints]:
    _, shapes, k = bic.shape
    flat = np.argmin(bic.reshape(-1, k), axis=0)
    return flat // shapes, flat % shapes


def parts(book: Dictionary, shape: Shape, noise: int, y: Floats) -> tuple[Floats, Floats]:
    """What the shape makes of one series: its still part without the constant, and its growth; each of shape (m,)."""
    m = len(y)
    columns = [np.ones(m), *shape.columns, *(() if shape.growth is None else (shape.growth,))]
    whiten = whitener(m, *_NOISES[noise])
    weights = np.linalg.lstsq(whiten @ np.stack(columns, axis=1), whiten @ (y - y[0]), rcond=None)[0]
    amounts = [weight * column for weight, column in zip(weights, columns, strict=True)]
    growth = amounts.pop() if shape.growth is not None else np.zeros(m)
    return np.sum(amounts[1:], axis=0) if len(amounts) > 1 else np.zeros(m), growth


def colour(book: Dictionary, noise: int, shuffle: Callable[[Floats], Floats], residuals: Floats) -> Floats:
    """Residuals drawn anew: made white, shuffled, given their correlation back. Shape (m,)."""
    whiten = whitener(len(book.x), *_NOISES[noise])
    return np.asarray(np.linalg.solve(whiten, shuffle(whiten @ residuals)), dtype=np.float64)
