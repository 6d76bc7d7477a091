"""Where the level of a series changes at once: jumps that stand alone, staircases, and restarts of the process."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from monitors.detection.series import Series
from monitors.detection.stats import Floats, Ints, cut_blocks

_FEWEST = 20
"""Blocks from which jumps and load can be told."""
_APART = 5
MARGIN = _APART + 3
"""Blocks at either end of a series in which no jump is found."""
_MOST_RESTARTS = 2
_DROP = 0.6
_SHORTEST = 0.05
_BLOCKS = 64
_STANDS_OUT = 5.0
"""Robust deviations of changes from which one is no noise."""
_TURNS = 3
_CLEAR = 4.0
_MOST = 0.95
"""Share of blocks that load is asked to fit: some hold both of its states."""
_ROUNDS = 6


def beside(values: Floats, grain: float) -> tuple[Ints, Floats]:
    """Indices of jumps, and what every model may use beside its shape: load, if it comes and goes, and the jumps.

    values: blocks of a series, shape (m,). Returns shapes (jumps,) and (m, columns).
    """
    load = find_load(values, grain)
    jumps = find_jumps(values if load is None else values - load, grain)
    columns = (np.arange(len(values))[:, None] >= jumps).astype(np.float64)
    return jumps, columns if load is None else np.column_stack([load / np.ptp(load), columns])


def find_jumps(values: Floats, grain: float, most: int = 6, threshold: float = _STANDS_OUT) -> Ints:
    """Indices before which the level jumps and stands: at most `most`, few of them down; none where there are more.

    values: blocks of a series, shape (m,). A place counts whose difference of medians, three blocks on each side,
    exceeds those nearby by `threshold` robust deviations of such differences, and of `grain`, below which they mean
    nothing.
    """
    if len(values) < _FEWEST:
        return np.empty(0, np.int64)
    windows = np.median(np.lib.stride_tricks.sliding_window_view(values, 3), axis=1)
    change = windows[3:] - windows[:-3]
    # A curve bends here as it does nearby; a jump stands out against both sides.
    inner = change[_APART:-_APART]
    excess = np.minimum(np.abs(inner - change[: -2 * _APART]), np.abs(inner - change[2 * _APART :]))
    scale = 1.4826 * np.median(np.abs(change - np.median(change))) + grain
    size = np.concatenate((np.zeros(_APART), excess / scale, np.zeros(_APART)))
    found: list[int] = []
    for i in np.argsort(-size).tolist():
        if size[i] < threshold:
            break
        if all(abs(i - other) > 3 for other in found):
            found.append(i)
        if len(found) > most or sum(change[i] < 0 for i in found) > _MOST_RESTARTS:
            return np.empty(0, np.int64)
    return np.unique(np.array([_edge(values, i + 3) for i in found], dtype=np.int64))


def _edge(values: Floats, near: int) -> int:
    """Index before which the largest single change lies, within two of `near`."""
    low = max(1, near - 2)
    return low + int(np.argmax(np.abs(np.diff(values[low - 1 : near + 3]))))


def find_load(values: Floats, grain: float, threshold: float = _STANDS_OUT) -> Floats | None:
    """Load that is on or off in turn, beside a line: what it adds to each block, shape (m,); None where there is none.

    values: blocks of a series, shape (m,). A change between two blocks counts that exceeds the usual one by `threshold`
    robust deviations of all, and of `grain`. There are at least three, up and down, and load is `_CLEAR` times what
    stays beside it.
    """
    m, change = len(values), np.diff(values)
    if m < _FEWEST:
        return None
    off = np.abs(change - np.median(change))
    large = off > threshold * (1.4826 * np.median(off) + grain)
    if np.count_nonzero(large) < _TURNS:
        return None
    first = int(np.argmax(large))
    last = np.maximum.accumulate(np.where(large, np.arange(m - 1), first))
    on = np.concatenate(([change[first] < 0], change[last] > 0))
    on[: first + 1] = change[first] < 0
    for _ in range(_ROUNDS):
        line, amount = _line_and(on, values)
        on = np.abs(values - line - amount) < np.abs(values - line)
    line, amount = _line_and(on, values)
    turns = np.flatnonzero(np.diff(on))
    alike = (np.sign(change[turns]) == np.sign(np.diff(on.astype(int))[turns])).all()
    left = np.sort(np.abs(values - line - amount * on))[: int(_MOST * m)]
    clear = amount > _CLEAR * float(np.sqrt(np.mean(left**2)))
    return amount * on if clear and alike and _TURNS <= len(turns) <= m // 3 else None


def _line_and(on: npt.NDArray[np.bool_], values: Floats) -> tuple[Floats, float]:
    """The line beside what is on or off, and what being on adds."""
    m = len(values)
    columns = np.stack([np.ones(m), np.arange(m) / m, on], axis=1)
    weights = np.linalg.lstsq(columns, values, rcond=None)[0]
    return columns[:, :2] @ weights[:2], float(weights[2])


def joined(series: Series) -> tuple[Series, int]:
    """The series as if its process had never been restarted, and how often it was.

    A restart shows in steps that begin anew, or, where none are known, in a rare drop that gives back most of what had
    grown; what came before is put below what follows. More drops than a few are a sawtooth, and are left alone.
    """
    drops = restarts(series)
    if not len(drops):
        return series, 0
    lift = np.zeros(len(series.values))
    steps = None if series.steps is None else series.steps.copy()
    for drop in drops:
        lift[drop:] += series.values[drop - 1] - series.values[drop]
        if steps is not None and steps[drop] < steps[drop - 1]:
            steps[drop:] += steps[drop - 1]
    raised = series.raised(lift)
    return replace(raised, steps=steps), len(drops)


def restarts(series: Series) -> Ints:
    """Indices of the first sample after each restart; see `joined`."""
    values, n = series.values, len(series.values)
    if n < 40:
        return np.empty(0, np.int64)
    if series.steps is not None:
        return np.flatnonzero(np.diff(series.steps) < 0) + 1
    if series.unbroken:
        return np.empty(0, np.int64)
    span = float(np.ptp(values))
    change = np.diff(values)
    drops = np.flatnonzero(change < -_DROP * span) + 1
    kept = [d for d in drops.tolist() if _SHORTEST * n < d < (1 - _SHORTEST) * n and _stays(values, d, span)]
    if len(kept) != len(drops) or not 0 < len(kept) <= _MOST_RESTARTS:
        return np.empty(0, np.int64)
    return np.array(kept, dtype=np.int64)


def _stays(values: Floats, drop: int, span: float) -> bool:
    """Whether what follows begins where the series began, and both sides rise: growth, a restart, growth."""
    reach = max(5, len(values) // 50)
    before, after, first = values[:drop], values[drop:], float(np.median(values[:reach]))
    near = abs(float(np.median(after[:reach])) - first) < 0.25 * span
    rises = [float(np.median(part[-reach:]) - np.median(part[:reach])) for part in (before, after)]
    return near and rises[0] > 0.5 * span and rises[1] > 0.05 * span


def gave_back(series: Series) -> bool:
    """Whether a sudden fall gave back most of what there was, and what followed has not grown to as much again."""
    level = cut_blocks(series.t, series.values, _BLOCKS, means=series.means).mean
    if len(level) < _FEWEST:
        return False
    calm = np.median(np.lib.stride_tricks.sliding_window_view(level, 3), axis=1)
    falls = calm[:-3] - calm[3:]
    at, usual = int(np.argmax(falls)), 1.4826 * float(np.median(np.abs(falls - np.median(falls))))
    return bool(falls[at] > max(_DROP * np.ptp(calm), _STANDS_OUT * usual) and calm[-1] <= calm[at])
