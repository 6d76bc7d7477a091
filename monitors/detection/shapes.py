"""The shapes that memory takes over a trial: those without lasting growth, and the same with growth on top.

A shape is a linear model of the time x, 0 at the start of the trial and 1 at its end. `dictionary` makes all of them,
under every kind of noise, ready for `monitors.detection.posterior`, which weighs them against each other.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.detection.stats import FILLING, SETTLING, Floats, Ints, orthonormal, whitener

NOISES = (
    (0.0, 0.0),
    (0.5, 0.0),
    (0.8, 0.0),
    (0.93, 0.0),
    (0.985, 0.0),
    (0.985, 1.0),
    (0.985, 12.0),
    (SETTLING, 30.0),
    (FILLING, 0.01),
    (FILLING, 0.2),
)
"""Correlation of neighbouring blocks, and white noise on top: white, AR(1), near a random walk, walk plus little and
plus much white; and walks that end, plus white: one that settles ever more slowly, as a high-water mark does, and one
that fills, as a cache whose entries are asked for at random."""

_DECAYS = tuple(np.geomspace(0.008, 0.35, 14))
_LOGS = (0.0005, 0.0015, 0.005, 0.015, 0.05, 0.15)
_HYPERBOLAS = tuple(np.geomspace(0.006, 0.4, 14))
_STOPS = tuple(np.linspace(0.12, 0.9, 27))
_ONSETS = tuple(np.linspace(0.16, 0.66, 33))
_PERIODS = (0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0)
_TWICE = 2.0
"""Turns of a swing from which on it was seen to come again."""
_POWERS = (1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 3.0)
LATE = 2 / 3
"""Where the last part of a trial begins, over which a rate is stated."""
FADING = ("decay", "decay, step", "logarithm", "hyperbola", "stop")
"""Kinds of shapes whose first two columns are growth that fades."""
STEPPED = ("step", "decay, step")
"""Kinds of shapes whose last column is a step."""
_KEPT = 0.2, 0.6
"""Bounds of the share of its mean pace that growth which fades may keep over the last third: what noise alone may leave
of a course that has ended, and what the slowest logarithm keeps, and a little."""
_SETTLED = 0.35
"""A stop or decay before this share of the trial is a warm-up, a later one a cache that filled."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One model: a constant, `columns` without lasting growth, and the column `growth` if it grows.

    name: as in `Finding.shape`. kind: shapes of one kind share the prior. place: x of its step, stop or onset.
    settled: x from which only growth is left to see. parameters: weights that are fitted; places and time constants are
    in the prior instead. turns: of a swing, how many the trial has.
    """

    name: str
    kind: str
    columns: tuple[Floats, ...] = ()
    growth: Floats | None = None
    place: float | None = None
    settled: float = 0.0
    parameters: int = 1
    turns: float | None = None


def _still(x: Floats, days: float) -> Iterator[Shape]:
    """Every shape without lasting growth; see `dictionary`.

    Beside a column whose place or time constant lies on a grid stands its derivative by that: together they reach what
    lies between two points of the grid.
    """
    yield Shape("flat", "flat")
    for tau in _DECAYS:
        yield Shape(_named(3 * tau), "decay", _decay(x, tau), settled=min(3 * tau, 1.0), parameters=3)
    for tau in _LOGS:
        yield Shape("saturating", "logarithm", (np.log1p(x / tau), 1 / (1 + x / tau)), settled=1.0, parameters=3)
    for tau in _HYPERBOLAS:
        yield Shape("saturating", "hyperbola", (x / (x + tau), x / (x + tau) ** 2), settled=1.0, parameters=3)
    for stop in _STOPS:
        yield Shape(
            _named(stop), "stop", (np.minimum(x, stop), _after(x, stop)), place=stop, settled=stop, parameters=3
        )
    for period in _PERIODS:
        yield Shape("periodic", "periodic", _swing(x, period), parameters=3, turns=period)
    if days:
        yield Shape("periodic", "day", _swing(x, days), parameters=3)
    for place in (x[1:] + x[:-1]) / 2:
        yield Shape("step", "step", (_after(x, place),), place=place, parameters=2)
        for tau in _DECAYS[1::4]:
            yield Shape(
                "step",
                "decay, step",
                (*_decay(x, tau), _after(x, place)),
                place=place,
                settled=min(3 * tau, 1.0),
                parameters=4,
            )


def _decay(x: Floats, tau: float) -> tuple[Floats, Floats]:
    fall = np.exp(-x / tau)
    return fall, x / tau * fall


def _swing(x: Floats, turns: float) -> tuple[Floats, Floats]:
    angle = 2 * np.pi * turns * x
    return np.sin(angle), np.cos(angle)


def _after(x: Floats, place: float) -> Floats:
    return (x > place).astype(np.float64)


def _named(settled: float) -> str:
    return "warm-up" if settled <= _SETTLED else "saturating"


def _growing(x: Floats, still: tuple[Shape, ...]) -> Iterator[tuple[int, Shape]]:
    """Every shape with lasting growth, and the index of the shape that it extends."""
    for i, base in enumerate(still):
        if base.kind == "logarithm" or (base.kind == "stop" and base.settled > LATE):
            # Both grow on to the end, or nearly so: that they should leak besides could not be told.
            continue
        if base.turns is not None and base.turns < _TWICE:
            # With a line a part of a swing is a ramp that ends.
            continue
        growing = "linear" if base.kind in ("flat", "decay", "stop", "hyperbola") else f"linear, {base.name}"
        yield i, Shape(growing, base.kind, base.columns, x, base.place, base.settled, base.parameters + 1)
        if base.kind == "flat" or (base.kind == "decay" and base.settled <= _SETTLED):
            for onset in _ONSETS if base.kind == "flat" else _ONSETS[::3]:
                column = np.maximum(x - onset, 0.0)
                kind = f"late onset, {base.kind}"
                yield i, Shape("late onset", kind, base.columns, column, onset, onset, base.parameters + 1)
    for power in _POWERS:
        yield 0, Shape("accelerating", "accelerating", (), x**power, parameters=2)


@dataclass(frozen=True, slots=True, eq=False)
class Dictionary:
    """Every shape over one grid of times, made ready for projection.

    still, growing: the shapes. extends: index in `still` of what each growing shape extends, shape (growing,).
    basis: orthonormal whitened columns of the still shapes, shape (noises, still, 4, m). extra: the direction that
    growth adds to each, shape (noises, growing, m), and its length before it was normed, shape (noises, growing).
    late: mean slope of each growth column over the last third of the trial, shape (growing,).
    fading: whether a shape is one of growth that fades, shape (still,). rise: what each direction of the basis adds to
    what such a shape rises over the whole, steps left out, to how much faster it rises over the last third than
    `_keeps` allows, and to its pace there, shape (noises, fading, 4, 3).
    undoing: of each growing shape that is linear beside one that fades, its index, and that of the other among those
    that fade, shape (2, pairs).
    whiten and its inverse unfold: shape (noises, m, m); basis and extra are folded with it, so that they apply to what
    is not whitened. still_prior, growing_prior: log priors.
    """

    x: Floats
    still: tuple[Shape, ...]
    growing: tuple[Shape, ...]
    extends: Ints
    basis: Floats
    extra: Floats
    length: Floats
    late: Floats
    fading: npt.NDArray[np.bool_]
    rise: Floats
    undoing: Ints
    whiten: Floats
    unfold: Floats
    still_prior: Floats
    growing_prior: Floats


def dictionary(x: Floats, days: float = 0.0) -> Dictionary:
    """Every shape over the times `x`, shape (m,), rising within 0 to 1. Kept for the next series on the same grid.

    days: that the whole takes, where what is judged may follow the day; else 0.
    """
    return _dictionary(x.tobytes(), days)


@functools.lru_cache(maxsize=16)
def _dictionary(grid: bytes, days: float) -> Dictionary:
    x = np.frombuffer(grid)
    m = len(x)
    # A model must leave more to explain than it has parameters.
    still = tuple(shape for shape in _still(x, days) if shape.parameters <= m / 4)
    pairs = [(i, shape) for i, shape in _growing(x, still) if shape.parameters <= m / 4 + 1]
    growing = tuple(shape for _, shape in pairs)
    extends = np.array([i for i, _ in pairs])
    columns = [np.ones((len(still), m)), *(np.zeros((len(still), m)) for _ in range(3))]
    for i, shape in enumerate(still):
        for k, column in enumerate(shape.columns):
            columns[k + 1][i] = column
    growth = np.array([shape.growth for shape in growing])
    whiten = np.stack([whitener(m, *noise) for noise in NOISES])
    parts = [_under_noise(columns, growth, extends, each) for each in whiten]
    basis, extra, length = (np.ascontiguousarray(part) for part in map(np.stack, zip(*parts, strict=True)))
    late = np.array([_late_slope(x, column) for column in growth])
    unfold = np.asarray(np.linalg.inv(whiten), dtype=np.float64)
    fading = np.array([shape.kind in FADING for shape in still])
    return Dictionary(
        x,
        still,
        growing,
        extends,
        basis,
        extra,
        length,
        late,
        fading,
        _rise(x, [shape for shape in still if shape.kind in FADING], basis[:, fading]),
        _undoing(x, growing, extends, fading),
        whiten,
        unfold,
        _prior(still),
        _prior(growing),
    )


def _rise(x: Floats, fading: list[Shape], basis: Floats) -> Floats:
    """See `Dictionary`. Of a basis, shape (noises, fading, 4, m), by the weights of the columns that it was made of."""
    third = int(np.searchsorted(x, LATE))
    columns = np.zeros((len(fading), 4, len(x)))
    moves = np.zeros((len(fading), 4, 3))
    for i, shape in enumerate(fading):
        columns[i, : len(shape.columns) + 1] = (np.ones(len(x)), *shape.columns)
        # The step beside a decay is no growth, and may stand in its last third.
        growth = np.stack(shape.columns[:2])
        moves[i, 1:3, :2] = growth[:, -1:] - growth[:, [0, third]]
    moves[:, :, 2] = moves[:, :, 1] / (1 - LATE)
    moves[:, :, 1] = moves[:, :, 2] - _keeps(x, fading)[:, None] * moves[:, :, 0]
    weights = np.linalg.pinv(basis @ columns.transpose(0, 2, 1), rcond=1e-7)
    return np.asarray(weights.transpose(0, 1, 3, 2) @ moves)


def _undoing(x: Floats, growing: tuple[Shape, ...], extends: Ints, fading: npt.NDArray[np.bool_]) -> Ints:
    """See `Dictionary`."""
    pairs = [i for i, shape in enumerate(growing) if shape.growth is x and fading[extends[i]]]
    return np.array([pairs, np.cumsum(fading)[extends[pairs]] - 1], dtype=np.int64).reshape(2, -1)


def _keeps(x: Floats, fading: list[Shape]) -> Floats:
    """Share of its mean pace that each shape may keep over the last third, shape (fading,).

    It is what the next slower shape of its kind keeps: two columns of a shape can together be a line, but are there to
    reach what lies between two points of the grid. The slowest stands for all that is slower, up to the bound.
    """
    third = int(np.searchsorted(x, LATE))
    courses = np.array([shape.columns[0] for shape in fading])
    own = (courses[:, -1] - courses[:, third]) / (courses[:, -1] - courses[:, 0]) / (1 - LATE)
    own, kinds = own.round(9), np.array([shape.kind for shape in fading])
    kept = np.empty(len(fading))
    for kind in set(kinds.tolist()):
        grid = np.unique(own[kinds == kind])
        kept[kinds == kind] = np.append(grid, _KEPT[1])[np.searchsorted(grid, own[kinds == kind]) + 1]
    return np.clip(kept, *_KEPT)


def _late_slope(x: Floats, column: Floats) -> float:
    begin, end = LATE, float(x[-1])
    return float(column[-1] - np.interp(begin, x, column)) / (end - begin)


def _prior(shapes: tuple[Shape, ...]) -> Floats:
    """Log prior: every kind equally likely, and every shape within its kind."""
    kinds = [shape.kind for shape in shapes]
    share = {kind: kinds.count(kind) for kind in kinds}
    return np.asarray(-np.log([share[kind] * len(share) for kind in kinds]))


def _under_noise(columns: list[Floats], growth: Floats, extends: Ints, whiten: Floats) -> tuple[Floats, Floats, Floats]:
    """Basis, extra direction and its length under one kind of noise, folded with the whitening matrix."""
    whitened = [column @ whiten.T for column in columns]
    basis, _ = orthonormal(whitened)
    directions, lengths = orthonormal([*(b[extends] for b in basis), growth @ whiten.T])
    folded = np.stack([b @ whiten for b in basis], axis=1)
    return folded, directions[-1] @ whiten, lengths[-1]
