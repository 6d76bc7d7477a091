"""Growth of a series regressed on all its doses and on time at once: which of them it follows, and by how much each.

Levels of blocks by time, less what correlates neighbours (AR(1)), as a sum of doses none of which takes memory away
(non-negative least squares, solved exactly: every set of doses is tried). The fewest doses that explain the growth are
preferred (BIC). Intervals by a block bootstrap of the residuals. Doses whose difference is below the noise cannot be
told apart: they are one, and named together.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from monitors.detection.jumps import joined
from monitors.detection.series import Floats, Series, usual_wait
from monitors.detection.stats import Blocks, cut_blocks, roughness, whitener, without_spikes
from monitors.model import DoseRates, Finding, RatePerDose

HOURS = "hours"
"""What time is called among the doses."""
_MOST_BLOCKS, _FEWEST_BLOCKS = 96, 12
_MOST_KINDS = 7
"""Of doses that can be told apart: 128 sets of them."""
_ALIKE = 0.003
"""Doses whose shares of what is consumed never differ by more have a constant ratio."""
_LATE, _BEAT = 3.0, 1.0
"""Waits between two samples, or beats a second apart, by which what was counted may be told late."""
_FEWEST_TAKEN = 8
"""Units of a dose: of fewer, each is an event of its own."""
_SMALL = 0.1
"""Share of the growth below which a dose is not what growth follows; what may be none is called none."""
_APART = 4.0
"""Deviations of the noise by which the fit must change where all growth moves from one dose to another."""
_PLAINLY = 2 * math.log(20)
"""Of the information criterion: time has to explain the growth twenty times as well as doses do, to be named."""
_TAKEN = 2.0
"""Parameters beside the doses: a level and a bend."""
_DRAWS = 200
_SURE = 0.025
_MOST_CORRELATED = 0.95
_HARDLY = 0.02
"""Share of what is consumed over the whole series below which a dose of the judged part has come to its end."""


def attributed(finding: Finding, series: Series) -> Finding:
    """The finding with what its growth follows, where something may grow and doses are counted."""
    if finding.verdict == "pass" or finding.rate_per_hour is None or finding.judged_from is None:
        return finding
    worked, _ = joined(series.worked())
    rates = regress(worked.part(slice(int(worked.t.searchsorted(finding.judged_from)), None)))
    return replace(finding, by_dose=rates) if rates else finding


def regress(series: Series) -> DoseRates | None:
    """Growth over the whole of a series by dose, each with its 95 % interval; None where there is too little of it.

    Time is one of the doses, in hours. A dose of which hardly any was consumed is left out.
    """
    taken = _consumed(series)
    if len(taken) < 2 or len(series.t) < _FEWEST_BLOCKS:
        return None
    blocks, y = _levels(series)
    if len(y) < _FEWEST_BLOCKS:
        return None
    scaled = {name: _shares(series, dose, len(blocks.t)) for name, dose in taken.items()}
    problem = _whitened(y, np.column_stack(list(scaled.values())), _bend(blocks.t))
    late = _LATE * min(usual_wait(np.diff(series.t)), _BEAT) / float(series.t[-1] - series.t[0])
    groups = _told_apart(problem, list(scaled.values()), max(_ALIKE, late))
    fitted = _fitted(problem, groups)
    names = list(taken)
    kinds = [[names[place] for place in group] for group in groups]
    return _rates(kinds, fitted, {name: float(dose[-1] - dose[0]) for name, dose in taken.items()})


def _consumed(series: Series) -> dict[str, Floats]:
    """Every dose that was still consumed, and time."""
    doses = dict(series.doses)
    if series.steps is not None:
        doses = {"steps": series.steps, **doses}
    found = {name: dose for name, dose in doses.items() if len(dose) and _is_consumed(dose)}
    return {**found, HOURS: series.t / 3600.0} if found else {}


def _is_consumed(dose: Floats) -> bool:
    """Whether it rises to the end: what came all at once, and then no more, is no dose that growth could last by."""
    taken = float(dose[-1] - dose[0])
    return taken >= _FEWEST_TAKEN and float(dose[-1] - dose[len(dose) // 2]) > _HARDLY * taken


def _levels(series: Series) -> tuple[Blocks, Floats]:
    """Blocks, and the quietest of their floors, medians and means."""
    count = min(_MOST_BLOCKS, len(series.t))
    blocks = cut_blocks(series.t, series.values, count, series.floors, series.means)
    kinds = [without_spikes(values) for values in (blocks.mean, blocks.median, blocks.floor)]
    return blocks, min(kinds, key=roughness)


def _shares(series: Series, dose: Floats, blocks: int) -> Floats:
    """Mean of each block of a dose, from 0 at the first sample to 1 at the last."""
    mean = cut_blocks(series.t, dose, min(_MOST_BLOCKS, len(series.t))).mean
    assert len(mean) == blocks
    return np.asarray((mean - dose[0]) / (dose[-1] - dose[0]), dtype=np.float64)


def _bend(t: Floats) -> Floats:
    """How growth may bend over a trial, whatever it follows, as a warm-up ends or an allocator settles; shape (m,).

    It begins and ends at 0, so that all growth is left to the doses. What differs from a dose by a bend alone is not
    told apart from it: so a pace that drifts is no evidence for time.
    """
    x = (t - t[0]) / (t[-1] - t[0])
    return np.asarray(x * (1 - x), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Problem:
    """y, columns: less their correlation, their level and a bend, shapes (m,) and (m, doses)."""

    y: Floats
    columns: Floats

    def growth(self) -> tuple[float, float]:
        """Growth over the whole, and the deviation of the noise beside it."""
        best = _solve(self.columns.T @ self.columns, (self.columns.T @ self.y)[:, None], float(self.y @ self.y), 0)
        beta = best.least[:, 0]
        rest = self.y - self.columns @ beta
        freedom = max(1.0, len(rest) - _TAKEN - np.count_nonzero(beta))
        return float(beta.sum()), math.sqrt(float(rest @ rest) / freedom)


def _whitened(y: Floats, columns: Floats, bend: Floats) -> _Problem:
    """Without the level and the bend, and with what correlates neighbours taken out, as least squares leave it."""
    m = len(y)
    free = np.column_stack([np.ones(m), bend])
    every = np.column_stack([free, columns])
    rest = y - every @ np.linalg.lstsq(every, y, rcond=1e-9)[0]
    power = float(rest @ rest)
    seen = float(rest[1:] @ rest[:-1]) / power if power > 0 else 0.0
    # An estimate from so few is too low (Kendall 1954), and the more so as a bend was fitted beside the level.
    bias = (2 + 5 * seen) / m
    memory = min(max(seen + bias, 0.0), _MOST_CORRELATED)
    root = whitener(m, round(memory, 2))
    base = np.linalg.qr(root @ free)[0]
    white_y, white = root @ y, root @ columns
    return _Problem(white_y - base @ (base.T @ white_y), white - base @ (base.T @ white))


def _told_apart(problem: _Problem, shares: Sequence[Floats], alike: float) -> list[list[int]]:
    """Doses in groups whose members cannot be told apart, in their order. alike: shares that differ by less are one."""
    growth, noise = problem.growth()
    # The column of time stands for all: as long as none is told apart, they are much alike.
    shown = growth * float(np.linalg.norm(problem.columns[:, -1])) > _APART * noise
    apart = np.array([[np.abs(one - other).max() for other in shares] for one in shares])
    for one, other in itertools.combinations(range(len(shares)), 2) if shown else ():
        if growth * _distance(problem, one, other) < _APART * noise:
            apart[one, other] = apart[other, one] = min(apart[one, other], alike / 2)
    groups = _merged(apart, alike)
    # Time is never left out.
    kept = sorted(groups, key=lambda group: len(shares) - 1 not in group)[:_MOST_KINDS]
    return [group for group in groups if group in kept]


def _merged(apart: Floats, alike: float) -> list[list[int]]:
    """Groups, in their order, whose members are linked by others that are each less than `alike` apart.

    apart: shape (k, k).
    """
    groups: list[list[int]] = []
    for place in range(len(apart)):
        near = [group for group in groups if apart[place, group].min() < alike]
        groups = [group for group in groups if group not in near] + [sorted([place, *itertools.chain(*near)])]
    return sorted(groups)


def _distance(problem: _Problem, one: int, other: int) -> float:
    """By how much the fit changes where growth of one moves from one dose to another."""
    return float(np.linalg.norm(problem.columns[:, one] - problem.columns[:, other]))


@dataclass(frozen=True, slots=True)
class _Solved:
    """Growth by each column, shape (columns, draws): of the best fit, and of the fewest columns that explain it."""

    least: Floats
    fewest: Floats


def _solve(
    gram: Floats, products: Floats, power: Floats | float, m: int, last: int | None = None
) -> _Solved:  # fmt: skip
    """Non-negative least squares by trying every set of columns; exact.

    gram: shape (k, k). products: of the columns with each draw, shape (k, draws). power: squares of each draw.
    m: blocks of a draw; 0 asks for the best fit alone. last: a column that is believed where the others explain plainly
    less, and not before.
    """
    k, draws = products.shape
    whole = np.broadcast_to(np.asarray(power, dtype=np.float64), (draws,))
    floor = 1e-12 * np.maximum(whole, 1e-300)
    least = fewest = np.zeros((k, draws))
    least_rest, fewest_score = whole, m * np.log(np.maximum(whole, floor)) if m else whole
    for code in range(1, 2**k):
        chosen = [place for place in range(k) if code >> place & 1]
        part = gram[np.ix_(chosen, chosen)]
        if np.linalg.cond(part) > 1e10:
            continue
        beta = np.linalg.solve(part, products[chosen])
        rest = np.maximum(whole - np.einsum("kd,kd->d", beta, products[chosen]), floor)
        allowed = (beta >= 0).all(axis=0)
        full = np.zeros((k, draws))
        full[chosen] = beta
        better = allowed & (rest < least_rest)
        least, least_rest = np.where(better, full, least), np.where(better, rest, least_rest)
        if m:
            score = m * np.log(rest) + len(chosen) * math.log(m) + _PLAINLY * (last in chosen)
            simpler = allowed & (score < fewest_score)
            fewest, fewest_score = np.where(simpler, full, fewest), np.where(simpler, score, fewest_score)
    return _Solved(least, fewest)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """Growth over the whole by each group of doses, with its 95 % interval. Shape (groups,)."""

    growth: Floats
    low: Floats
    high: Floats


def _fitted(problem: _Problem, groups: Sequence[Sequence[int]]) -> _Fitted:
    """Time comes last of all columns; where it is in a group with doses, it is as good as any."""
    columns = _speakers(problem, groups)
    m, gram, time = len(problem.y), columns.T @ columns, problem.columns.shape[1] - 1
    alone = groups.index([time]) if [time] in groups else None
    found = _solve(gram, (columns.T @ problem.y)[:, None], float(problem.y @ problem.y), m, alone).fewest[:, 0]
    model = columns @ found
    rest = problem.y - model
    freedom = max(1.0, m - _TAKEN - np.count_nonzero(found))
    draws = model + math.sqrt(m / freedom) * _resampled(rest - rest.mean())
    solved = _solve(gram, columns.T @ draws.T, np.einsum("dm,dm->d", draws, draws), m, alone)
    # The least that growth follows a dose by is what the simplest explanation says; the most is what any has room for.
    low = np.quantile(solved.fewest, _SURE, axis=1)
    high = np.quantile(np.maximum(solved.least, solved.fewest), 1 - _SURE, axis=1)
    low, high = np.minimum(low, found), np.maximum(high, found)
    none = (low <= 0) & (found < _SMALL * found.sum())
    return _Fitted(np.where(none, 0.0, found), low, high)


def _speakers(problem: _Problem, groups: Sequence[Sequence[int]]) -> Floats:
    """A column for each group, shape (m, groups): of its doses the one that explains most beside the others.

    Their mean would be none of them, and what it lacks would be given to another dose.
    """
    columns = [problem.columns[:, group].mean(axis=1) for group in groups]
    for place, group in enumerate(groups):
        left = []
        for each in group:
            columns[place] = problem.columns[:, each]
            tried = np.column_stack(columns)
            rest = problem.y - tried @ np.linalg.lstsq(tried, problem.y, rcond=1e-9)[0]
            left.append(float(rest @ rest))
        columns[place] = problem.columns[:, group[int(np.argmin(left))]]
    return np.column_stack(columns)


def _resampled(rest: Floats) -> Floats:
    """Residuals put together anew from stretches of neighbours (circular block bootstrap); shape (draws, m)."""
    m = len(rest)
    length = max(1, math.ceil(m ** (1 / 3)))
    chance = np.random.default_rng(0)
    starts = chance.integers(0, m, (_DRAWS, -(-m // length)))
    places: npt.NDArray[np.int64] = (starts[:, :, None] + np.arange(length)).reshape(_DRAWS, -1)[:, :m] % m
    return np.asarray(rest[places], dtype=np.float64)


def _rates(kinds: Sequence[Sequence[str]], fitted: _Fitted, taken: Mapping[str, float]) -> DoseRates:
    rates = {}
    for kind, growth, low, high in zip(
        kinds, fitted.growth.tolist(), fitted.low.tolist(), fitted.high.tolist(), strict=True
    ):
        for name in kind:
            rates[name] = RatePerDose(growth / taken[name], (low / taken[name], high / taken[name]))
    sure = (fitted.low > 0) & (fitted.growth >= _SMALL * fitted.growth.sum())
    follows = [kind[0] for kind, leads in zip(kinds, sure.tolist(), strict=True) if leads]
    return DoseRates(rates, tuple(tuple(kind) for kind in kinds if len(kind) > 1), tuple(follows))
