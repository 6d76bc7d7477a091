"""How much of a trial a series saw: of what was not seen nobody can say that it did not leak.

A series is held against the end of its trial. Samples that are missing here and there hide nothing, as what is held is
a level: it is seen again after them. What hides something is a gap at the end, one over which more came to be held, or
gaps that make up much of the trial. Waits that are long and alike, one after the other, are how a series is sampled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from monitors.detection.series import Floats, Hole, Series
from monitors.model import Finding
from monitors.units import format_duration, format_value

_FEW = 3.0
"""Usual waits: gaps of fewer are single samples that failed or came late."""
_TAIL, _HOLE = 0.05, 0.1
"""Share of what is judged up to which a gap is overlooked: at the end, three of the 64 blocks that a verdict is made
of; elsewhere, where what follows shows what was held, twice as much."""
_MOMENT = 2.5
"""Seconds by which a busy machine may sample late: overlooked at the end of a short trial, within `_HOLE`."""
_ONE_STEP = 2.0
"""Steps over a gap that is one long step: it had begun before, and the next may have ended before the beat."""
_IN_A_ROW = 5
"""Waits that are alike: so many of more than `_HOLE` each are most of what is judged, and no accident of it."""
_ALIKE = 2.5
"""Times the shortest of these, up to which a wait is one of them."""
_MUCH = 0.25
"""Share of what is judged: with more than this in gaps, the rest does not speak for the whole."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Gaps that are too long to be overlooked, in what is judged of a series.

    seconds: of all of them. share: of what is judged. tail: seconds of the one that reaches to the end. rise: what was
    held more after one of them than ever before it, in the series' unit; 0 where nothing was.
    """

    seconds: float = 0.0
    share: float = 0.0
    tail: float = 0.0
    rise: float = 0.0

    @property
    def said(self) -> str:
        """In words."""
        share = f"{100 * self.share:.0f} %"
        if self.tail and self.tail >= self.seconds:
            return f"the last {share} of the trial ({format_duration(self.tail)}) was not sampled"
        end = ", including its end" if self.tail else ""
        return f"{share} of the trial ({format_duration(self.seconds)}) was not sampled{end}"


def unseen(series: Series, least: float = math.inf) -> Unseen:
    """What was not seen of a series since its first step; since its first sample where no steps are known.

    least: rise over a wait that counts although others are as long, in the series' unit.
    """
    t = series.worked().t
    if not len(t) or not series.holes:
        return Unseen()
    begin, last = float(t[0]), float(t[-1])
    waits = np.diff(t)
    few = _FEW * float(np.median(waits)) if len(waits) else 0.0
    inner = [hole for hole in series.holes if begin <= hole.end and hole.begin < last and _stepped(series, hole)]
    span = max(last, series.holes[-1].end) - min([begin, *(hole.begin for hole in inner)])
    waited = max((hole.seconds for hole in inner), default=0.0)
    # A wait at the end that is no longer than others were, after which samples came again, says nothing.
    overlooked = max(few, _TAIL * span, min(max(waited, _MOMENT), _HOLE * span), _usual_at_the_end(waits))
    tail = sum(hole.seconds for hole in series.holes if hole.begin >= last and hole.seconds > overlooked)
    long = [hole for hole in inner if hole.seconds > max(few, _HOLE * span)]
    paces = _paces(waits)
    long = [hole for hole in long if not _is_usual(hole, t, paces) or _rise(series, hole) > least]
    seconds = tail + sum(hole.seconds for hole in long)
    rise = max((_rise(series, hole) for hole in long if begin <= hole.begin), default=0.0)
    return Unseen(seconds, min(1.0, seconds / max(span, 1e-9)), tail, max(0.0, rise))


def _paces(waits: Floats) -> Floats:
    """The wait that is usual at each: the longest that some waits in a row, it among them, all reach.

    Shape (n,), all 0 where there are too few. A morphological opening: what is longer than its neighbours, once or a
    few times, does not change it.
    """
    if len(waits) < _IN_A_ROW:
        return np.zeros(len(waits))
    least = np.lib.stride_tricks.sliding_window_view(waits, _IN_A_ROW).min(axis=1)
    around = np.pad(least, _IN_A_ROW - 1)
    paces: Floats = np.lib.stride_tricks.sliding_window_view(around, _IN_A_ROW).max(axis=1)
    return paces


def _is_usual(hole: Hole, t: Floats, paces: Floats) -> bool:
    """Whether a series was sampled no faster around a gap than over it."""
    place = int(np.searchsorted(t, hole.end)) - 1
    return 0 <= place < len(paces) and hole.seconds <= _ALIKE * paces[place]


def _usual_at_the_end(waits: Floats) -> float:
    """The longest of the last waits, where these are alike."""
    last = waits[-_IN_A_ROW:]
    longest = float(last.max(initial=0.0))
    return longest if len(last) == _IN_A_ROW and longest <= _ALIKE * last.min() else 0.0


def _stepped(series: Series, hole: Hole) -> bool:
    """Whether much was done in a gap. What a worker tells between steps waits for one that takes long: this is none."""
    if series.steps is None:
        return True
    before, after = np.interp((hole.begin, hole.end), series.t, series.steps)
    return bool(abs(after - before) > _ONE_STEP)


def _rise(series: Series, hole: Hole) -> float:
    """By how much all that was held after a gap is more than all before it, for as long as the gap on each side."""
    length = hole.end - hole.begin
    before = series.values[(series.t >= hole.begin - length) & (series.t <= hole.begin)]
    after = series.values[(series.t >= hole.end) & (series.t <= hole.end + length)]
    return float(after.min() - before.max()) if len(before) and len(after) else 0.0


def held_to_the_end(finding: Finding, series: Series, least: float) -> Finding:
    """The finding, held against the whole of the trial: what was not seen cannot pass.

    A leak that was found in what was seen stays one. least: rise over a gap that counts, in the series' unit.
    """
    missed = unseen(series, least)
    if not missed.seconds:
        return finding
    told = replace(finding, unseen_seconds=missed.seconds)
    if finding.verdict == "pass" and not (missed.tail or missed.share > _MUCH or missed.rise > least):
        return told
    said = missed.said
    if not missed.tail and missed.rise > least:
        said += f", and {format_value(missed.rise, finding.unit)} more was held afterwards"
    if finding.verdict == "leak":
        return replace(told, reason=f"{finding.reason}, in the sampled part: {said}")
    return replace(told, verdict="inconclusive", reason=f"{said}; in the sampled part: {finding.reason}")
