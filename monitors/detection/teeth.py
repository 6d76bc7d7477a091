"""Growth that was given back, all of it, once or a few times: garbage that is collected, caches that are dropped.

Of many teeth the shapes see that nothing grows. Of one, two or three they see lines, with falls between them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from monitors.detection.series import Floats, Series
from monitors.detection.stats import cut_blocks
from monitors.model import Finding
from monitors.units import format_value

_BLOCKS = 64
_FEWEST = 20
_SUDDEN = 2
"""Blocks within which a fall, or the return of load, happens."""
_LARGE = 0.4
"""Share of the range of a series from which a fall counts."""
_MOST = 3
_FOOT = 3
"""Blocks over which the begin and the end of a climb are taken."""
_ALIKE = 0.2
"""Share of a fall within which climbs begin, and end, alike."""


def held_beyond_its_falls(finding: Finding, series: Series) -> Finding:
    """The finding; a leak no more where all that grew was given back, and no more came to be held since."""
    if finding.verdict != "leak" or finding.restarts:
        return finding
    worked = series.worked()
    size = fallen_back(worked)
    if size is None:
        return finding
    amount = format_value(size, finding.unit)
    said = (
        f"it fell back by {amount} to where it began, and has not come above its peak since: a longer trial would tell"
    )
    return replace(finding, verdict="inconclusive", leak_probability=None, reason=said)


def fallen_back(series: Series) -> float | None:
    """The largest of a few sudden falls, each back to where its climb began; None where that is not what it does."""
    if len(series.t) < _FEWEST:
        return None
    values = cut_blocks(series.t, series.values, min(_BLOCKS, len(series.t)), means=series.means).median
    change = values[_SUDDEN:] - values[:-_SUDDEN]
    large = _LARGE * float(np.ptp(values))
    if not large or (change > large).any():
        return None
    places = _places(change < -large, change)
    # Of a fall at the very end it is not seen where it goes: it may be garbage that is collected, or the process ends.
    seen = [place for place in places if place <= len(values) - _SUDDEN - _FOOT]
    fell = _fell(values, places)
    return fell if fell is not None or len(seen) == len(places) else _fell(values, seen)


def _fell(values: Floats, places: list[int]) -> float | None:
    """The largest of these falls, if each goes back to where its climb began, and no more was held since."""
    if not 0 < len(places) <= _MOST:
        return None
    tops = np.array([np.median(values[max(0, i + 1 - _FOOT) : i + 1]) for i in places])
    feet = np.array([np.median(values[i + _SUDDEN : i + _SUDDEN + _FOOT]) for i in places])
    falls = tops - feet
    peak, end = float(tops.max()), float(np.median(values[-_FOOT:]))
    size = float(falls.max())
    return size if _alike(values, feet, size) and end - peak < _ALIKE * size else None


def _places(fallen: npt.NDArray[np.bool_], change: Floats) -> list[int]:
    """Index of the last block before each fall: of neighbours that fall, the steepest."""
    at = np.flatnonzero(fallen)
    runs = np.split(at, np.flatnonzero(np.diff(at) > _SUDDEN) + 1)
    return [int(run[np.argmin(change[run])]) for run in runs if len(run)]


def _alike(values: Floats, feet: Floats, size: float) -> bool:
    """Whether each fall came back to the same level: of a single one, to where the series began."""
    began = float(np.median(values[:_FOOT]))
    if len(feet) == 1:
        return abs(float(feet[0]) - began) < _ALIKE * size
    return float(np.ptp(feet)) < _ALIKE * size and began > float(feet.min()) - _ALIKE * size
