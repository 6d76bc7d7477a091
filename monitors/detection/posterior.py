"""How probable lasting growth is, and how fast it is, averaged over every shape and noise of a dictionary.

No single model is believed: each is weighed by its likelihood (by the Bayesian information criterion) and prior, and
what is said of growth is the sum over all. References: Schwarz 1978; McQuarrie 1999 (few values); Hoeting et al.
1999 (model averaging).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitors.detection.recurring import odds_of_steps
from monitors.detection.shapes import FADING, NOISES, STEPPED, Dictionary, Shape
from monitors.detection.stairs import FEWEST, stairs_weight, stairs_weights
from monitors.detection.stats import Floats, normal_cdf, student_quantile, whitener

INEXACT = 0.004
"""No shape is exact: below this share of a series' range, what a shape leaves over says nothing."""
_UNFADED = 6.0
"""Nats that a shape of fading growth loses where its growth has not faded."""
_HIDDEN = 30.0
"""Nats that growth loses which a fall beside it hides up to the end: nothing was seen to grow."""
_UNDONE = 0.5
"""Share of its pace over the last third that growth may lose to a fall that fades beside it."""


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Of each of k series on one grid.

    odds: log odds of lasting growth against none, shape (k,).
    still, growing: log weights of the models, of one common scale, shape (noises, shapes, k); of growing models before
    it is asked that growth be positive. stairs: of all staircases together, shape (k,).
    rate, error: of each growing model over the last third of the trial, per unit of x, shape (noises, growing, k).
    freedom: of each growing model, shape (growing,). grain: what counted as exact. beside: columns that every model may
    use, shape (m, columns).
    """

    book: Dictionary
    odds: Floats
    still: Floats
    growing: Floats
    stairs: Floats
    rate: Floats
    error: Floats
    freedom: Floats
    grain: float
    beside: Floats

    def best_still(self, k: int = 0) -> tuple[Shape, int]:
        """The most probable shape without growth, and the index of its noise."""
        noise, shape = _largest(self.still[:, :, k])
        return self.book.still[shape], noise

    def best_growing(self, k: int = 0) -> tuple[Shape, int]:
        """The most probable shape with growth, and the index of its noise."""
        noise, shape = _largest(np.where(self.rate[:, :, k] > 0, self.growing[:, :, k], -np.inf))
        return self.book.growing[shape], noise


def _largest(weights: Floats) -> tuple[int, int]:
    noise, shape = np.unravel_index(int(np.argmax(weights)), weights.shape)
    return int(noise), int(shape)


def weigh(
    book: Dictionary, series: Floats, grain: float, beside: Floats | None = None, power: Floats | None = None
) -> Posterior:
    """Weigh every model on every row of `series`, shape (k, m).

    grain: standard deviation below which differences mean nothing (quantisation), in the series' unit, above 0.
    beside: columns that every model may use, such as jumps of the level for reasons of their own, shape (m, columns).
    power: squares that noise would add to those left over under each kind of noise, and by itself, shape
        (noises + 1,): weighs a series without noise as if it had some.
    """
    y = (series - series[:, :1]).T
    m, k = y.shape
    beside = np.empty((m, 0)) if beside is None else beside
    grain = float(np.hypot(grain, INEXACT * np.min(np.ptp(y, axis=0))))
    # Growth itself comes last: what shapes that fade make of it says how they change when it is taken out.
    lined = np.column_stack([y, book.x])
    white = book.whiten @ lined
    seen = book.basis @ lined
    left = np.sum(white**2, axis=1)[:, None, :] - np.sum(seen**2, axis=2)
    gain, length = book.extra @ lined, book.length
    moves = book.rise.transpose(0, 1, 3, 2) @ seen[:, book.fading]
    if beside.shape[1]:
        left, gain, length, moves = _with_columns(book, white, left, gain, moves, beside)
    left, gain = np.maximum(left[:, :, :k], 0.0), gain[:, :, :k]
    rest = np.maximum(left[:, book.extends] - gain**2, 0.0)
    if power is not None:
        left, rest = left + power[:-1, None, None], rest + power[:-1, None, None]
    # A model of nothing, whose growth the rest spans, has none.
    length = np.where(length > 0, length, 1e12)[:, :, None]
    still_size, growing_size = _parameters(book.still) + beside.shape[1], _parameters(book.growing) + beside.shape[1]
    still = _weight(left, still_size, grain, m) + book.still_prior[:, None]
    # What rises over the last third at nearly its mean pace is no cache that fills, whatever its name.
    still[:, book.fading] -= _UNFADED * np.all(moves[:, :, :2, :k] > 0, axis=2)
    growing = _weight(rest, growing_size, grain, m) + book.growing_prior[:, None]
    stairs = stairs_weight(y, grain, 0.0 if power is None else float(power[-1]))
    freedom = np.maximum(m - growing_size, 1.0)
    rate, error = gain / length, np.sqrt(rest / freedom[:, None] + grain**2) / length
    grown, faded = book.undoing
    pace = moves[:, faded, 2, :k] - rate[:, grown] * moves[:, faded, 2, k:]
    growing[:, grown] -= _HIDDEN * (pace < np.minimum(-_UNDONE * rate[:, grown], 0.0))
    # Growth is positive: where the best rate is not, this is what the likelihood loses by that.
    positive = growing - np.where(rate > 0, 0.0, (rate / error) ** 2 / 2)
    odds = _log_sum(positive) - np.logaddexp(_log_sum(still), stairs)
    late = book.late[:, None]
    return Posterior(book, odds, still, growing, stairs, rate * late, error * late, freedom, grain, beside)


def _weight(left: Floats, size: Floats, grain: float, m: int) -> Floats:
    """By Schwarz's criterion, with McQuarrie's correction for few values."""
    cost = np.log(m) * size * m / np.maximum(m - size - 2, 1.0)
    return np.asarray(-(m * np.log(left / m + grain**2) + cost[:, None]) / 2)


def odds_of_recurring(posterior: Posterior, y: Floats, jumps: int) -> tuple[float, int]:
    """Log odds that the series `y`, shape (m,), is a staircase whose steps recur, against all that does not grow; and
    of how many steps.

    jumps: how many of the columns beside every model are jumps.
    """
    weights = stairs_weights((y - y[0])[:, None], posterior.grain)[:, 0]
    # Jumps that were found were put where they fit best: here their places count, as those of a staircase do.
    placed = _log_sum(posterior.still)[0] - jumps * np.log(len(y))
    recurring, steps = odds_of_steps(y, weights, FEWEST)
    return recurring - float(np.logaddexp(placed, posterior.stairs[0])), steps


def _with_columns(
    book: Dictionary, white: Floats, left: Floats, gain: Floats, moves: Floats, beside: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Sums of squares, gains, lengths and moves (`Dictionary.rise`) with the columns `beside` every model."""
    m = len(book.x)
    whitened = book.whiten @ beside
    left, gain, length, moves = left.copy(), gain.copy(), book.length.copy(), moves.copy()
    for noise, inverse in enumerate(book.unfold):
        basis, extra = book.basis[noise] @ inverse, book.extra[noise] @ inverse
        rest = np.broadcast_to(whitened[noise].T, (len(basis), beside.shape[1], m))
        inside = rest @ basis.transpose(0, 2, 1)
        columns, triangle = np.linalg.qr((rest - inside @ basis).transpose(0, 2, 1))
        frame = columns.transpose(0, 2, 1)
        frame = frame - (frame @ basis.transpose(0, 2, 1)) @ basis
        seen = frame @ white[noise]
        left[noise] -= np.sum(seen**2, axis=1)
        own = inside[book.fading] @ book.rise[noise]
        moves[noise] -= _moved(triangle[book.fading], own, seen[book.fading])
        overlap = (frame[book.extends] @ extra[:, :, None])[:, :, 0]
        free = np.sqrt(np.maximum(1 - np.sum(overlap**2, axis=1), 0.0))
        free = np.where(free > 1e-4, free, 0.0)
        bare = gain[noise] - np.einsum("gj,gjk->gk", overlap, seen[book.extends])
        gain[noise] = np.where(free[:, None] > 0, bare / np.where(free > 0, free, 1.0)[:, None], 0.0)
        length[noise] *= free
    return left, gain, length, moves


def _moved(triangle: Floats, inside: Floats, seen: Floats) -> Floats:
    """What the jumps themselves moved, as far as the shapes took it for their own: shape (fading, 2, k).

    triangle: of the jumps beside each shape, shape (fading, jumps, jumps). inside: what a shape moves that stands for
    a jump of 1, shape (fading, jumps, 2). seen: of the series, along each jump's direction, shape (fading, jumps, k).
    """
    # A jump that a shape has already says nothing of it.
    known = np.abs(np.diagonal(triangle, axis1=1, axis2=2)) < 1e-6
    triangle = triangle + 1e12 * known[:, :, None] * np.eye(triangle.shape[1])
    return np.asarray(inside.transpose(0, 2, 1) @ np.linalg.solve(triangle, seen))


def _parameters(shapes: tuple[Shape, ...]) -> Floats:
    return np.array([shape.parameters for shape in shapes], dtype=np.float64)


def _log_sum(weights: Floats) -> Floats:
    """Log of the sum of exponentials over noises and shapes: shape (noises, shapes, k) → (k,)."""
    flat = weights.reshape(-1, weights.shape[-1])
    largest = np.max(flat, axis=0)
    return np.asarray(largest + np.log(np.sum(np.exp(flat - largest), axis=0)))


@dataclass(frozen=True, slots=True)
class Fit:
    """One model fitted to one series: still without the constant, growth, and what is left; each of shape (m,).

    white: what is left, whitened.
    """

    still: Floats
    growth: Floats
    rest: Floats
    white: Floats


def fit(posterior: Posterior, shape: Shape, noise: int, y: Floats) -> Fit:
    """What one shape makes of the series `y`, shape (m,)."""
    m, whiten = len(y), posterior.book.whiten[noise]
    amounts = _amounts(posterior, shape, noise, y)
    growth = amounts.pop() if shape.growth is not None else np.zeros(m)
    still = np.sum(amounts[1:], axis=0) if len(amounts) > 1 else np.zeros(m)
    rest = y - y[0] - amounts[0] - still - growth
    return Fit(still, growth, rest, whiten @ rest)


def _amounts(posterior: Posterior, shape: Shape, noise: int, y: Floats) -> list[Floats]:
    """A constant, what is beside every model, and the columns of the shape, its growth last; as much as there is of
    each in `y`. Of shape (m,).
    """
    grown = () if shape.growth is None else (shape.growth,)
    columns = [np.ones(len(y)), *posterior.beside.T, *shape.columns, *grown]
    whiten = posterior.book.whiten[noise]
    weights = np.linalg.lstsq(whiten @ np.stack(columns, axis=1), whiten @ (y - y[0]), rcond=None)[0]
    return [weight * column for weight, column in zip(weights, columns, strict=True)]


def fading_of(posterior: Posterior, shape: Shape, noise: int, y: Floats) -> Floats:
    """What one shape makes of growth that fades in the series `y`, steps left out: shape (m,); 0 of any other shape."""
    if shape.kind not in FADING:
        return np.zeros(len(y))
    own = 1 + posterior.beside.shape[1]
    return np.asarray(np.sum(_amounts(posterior, shape, noise, y)[own : own + 2], axis=0))


def steps_of(posterior: Posterior, shape: Shape, noise: int, y: Floats, jumps: int) -> tuple[Floats, Floats]:
    """Places in x, rising, and sizes of the steps that one shape has, its own and `jumps` that are beside every model.

    A step of less than the grain is none.
    """
    amounts = _amounts(posterior, shape, noise, y)
    beside, own = posterior.beside.shape[1], len(shape.columns)
    steps = amounts[1 + beside - jumps : 1 + beside]
    if shape.kind in STEPPED:
        steps.append(amounts[beside + own])
    found = [(float(posterior.book.x[np.flatnonzero(each)[0]]), float(each[-1])) for each in steps if each.any()]
    kept = sorted(pair for pair in found if abs(pair[1]) > posterior.grain)
    return np.array([place for place, _ in kept]), np.array([size for _, size in kept])


@dataclass(frozen=True, slots=True, eq=False)
class RateEstimate:
    """Per unit of x, with an interval of the asked confidence: a mixture of normals with these shares, centres, widths.

    Each of shape (models,).
    """

    rate: float
    low: float
    high: float
    shares: Floats
    centres: Floats
    widths: Floats

    def exceeds(self, least: float) -> float:
        """Probability that the rate is above `least`."""
        return 1.0 - float(self.shares @ normal_cdf((least - self.centres) / self.widths))


def rate_of(posterior: Posterior, confidence: float, widening: float = 1.0) -> RateEstimate:
    """The rate averaged over all growing models of the first series, as a mixture of Student's t.

    widening: how many times as wide as the mixture says the interval is made, for growth that no model follows exactly.
    """
    weights = np.exp(posterior.growing[:, :, 0] - posterior.growing[:, :, 0].max())
    kept = weights > 1e-4
    shares = weights[kept] / weights[kept].sum()
    centres, error = posterior.rate[:, :, 0][kept], posterior.error[:, :, 0][kept]
    freedom = np.broadcast_to(posterior.freedom, weights.shape)[kept]
    # Student's t is stood in for by a normal that is as wide at the ends of the interval.
    edge = (1 + confidence) / 2
    heavier = {f: student_quantile(edge, f) / student_quantile(edge, 1e9) for f in np.unique(freedom).tolist()}
    widths = error * np.array([heavier[f] for f in freedom.tolist()])
    low, middle, high = (_quantile(shares, centres, widths, p) for p in (1 - edge, 0.5, edge))
    low, high = middle - widening * (middle - low), middle + widening * (high - middle)
    return RateEstimate(middle, low, high, shares, centres, widths)


def _quantile(share: Floats, centre: Floats, width: Floats, p: float) -> float:
    """Of a mixture of normals, by bisection."""
    low, high = float(np.min(centre - 9 * width)), float(np.max(centre + 9 * width))
    for _ in range(40):
        middle = (low + high) / 2
        below = float(share @ normal_cdf((middle - centre) / width)) < p
        low, high = (middle, high) if below else (low, middle)
    return (low + high) / 2


def odds_of_planted(posterior: Posterior, noise: int, still: Floats, deviation: float, rates: Floats) -> Floats:
    """Expected log odds if growth of each of `rates` per unit of x were planted into noise like this, shape (k,).

    noise: index of its kind. still: what the series does without growth, shape (m,). deviation: of the whitened noise.
    """
    book = posterior.book
    series = still + rates[:, None] * (book.x - book.x[0])
    return weigh(book, series, posterior.grain, posterior.beside, deviation**2 * _powers(len(book.x), noise)).odds


def _powers(m: int, noise: int) -> Floats:
    """Expected squares of noise of one kind, of deviation 1, once whitened as each kind, and as it is."""
    colour = np.linalg.inv(whitener(m, *NOISES[noise]))
    whitened = [whitener(m, *kind) @ colour for kind in NOISES]
    level = colour - colour.mean(axis=0)
    return np.array([*(float(np.sum(each**2)) for each in whitened), float(np.sum(level**2))])
