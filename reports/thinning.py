"""A long series made small enough to draw, without losing a spike or bridging a gap. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from monitors.detection.series import Floats

BUCKETS = 600
"""Equal stretches of time, about a pixel each, of which the lowest and the highest value are kept at least."""
_ALL_BUCKETS = 240_000
"""Of all series of a page together, which makes some 5 MB of it."""
_MOST_BUCKETS = 2000
MOST_DOTS = 300
"""Samples that are drawn as dots at most: of more, the lowest and the highest would look like two levels."""
_LATE = 2.5
"""Usual waits after which a sample is missing, as in `monitors.detection.series`."""
_ENOUGH = 4096
"""Waits that tell the usual one."""


def buckets_for(series: int) -> int:
    """Buckets for each of so many series of one page: few can be zoomed into further than many."""
    return min(max(BUCKETS, _ALL_BUCKETS // max(series, 1)), _MOST_BUCKETS)


def thinned(t: Floats, values: Floats, buckets: int = BUCKETS, unbroken: bool = False) -> tuple[Floats, Floats]:
    """Times and values to draw: of each bucket the lowest and the highest, both ends, and both sides of each gap.

    Where the line breaks, between two samples that lie further apart than is usual and than a bucket is wide, stands a
    value that is no number (NaN).

    Args:
        t: rising, shape (n,).
        values: shape (n,), finite.
        buckets: how many; up to two samples for each are all kept.
        unbroken: no gap is looked for, as in samples that come at no fixed distance.
    """
    broken = np.empty(0, dtype=np.intp) if unbroken else _breaks(t, buckets)
    kept = np.arange(len(t))
    if len(t) > 2 * buckets:
        kept = np.unique(np.concatenate((_extremes(t, values, buckets), (0, len(t) - 1), broken, broken - 1)))
    at = np.searchsorted(kept, broken)
    middles = (t[broken - 1] + t[broken]) / 2
    return np.insert(t[kept], at, middles), np.insert(values[kept], at, np.nan)


def rethinned(t: Floats, values: Floats, buckets: int) -> tuple[Floats, Floats]:
    """What was made small already, made smaller. Breaks stay."""
    if len(t) <= 2 * buckets:
        return t, values
    known = np.flatnonzero(np.isfinite(values))
    kept = known[_extremes(t[known], values[known], buckets)]
    broken = np.flatnonzero(np.isnan(values))
    ends = np.array([0, len(t) - 1], dtype=np.intp)
    index = np.unique(np.concatenate((kept, ends, broken, broken - 1, broken + 1)))
    return t[index], values[index]


def _breaks(t: Floats, buckets: int) -> npt.NDArray[np.intp]:
    """Indices of samples before which others are missing."""
    waits = np.diff(t)
    if len(waits) < 2:
        return np.empty(0, dtype=np.intp)
    usual = float(np.median(waits[:: 1 + len(waits) // _ENOUGH]))
    return np.flatnonzero(waits > max(_LATE * usual, float(t[-1] - t[0]) / buckets)) + 1


def _extremes(t: Floats, values: Floats, buckets: int) -> npt.NDArray[np.intp]:
    edges = np.searchsorted(t, np.linspace(t[0], t[-1], buckets + 1)[:-1], side="left")
    starts = np.unique(edges)
    kept = []
    for first, after in zip(starts.tolist(), [*starts[1:].tolist(), len(t)], strict=True):
        part = values[first:after]
        kept += [first + int(part.argmin()), first + int(part.argmax())]
    return np.array(kept, dtype=np.intp)
