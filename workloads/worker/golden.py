"""One item whose answer is known from the start: damage to weights, libraries or memory shows as another answer.

The first answer is held against what it should be, where a workload knows that. The item depends on the source's
options and the seed alone; the running source does not lose one for it.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, cast

from workloads import sources
from workloads.answers import apart
from workloads.protocol.contract import Replayed, Workload
from workloads.protocol.order import TrialSpec
from workloads.worker.every import Every


def golden_of(workload: Workload, spec: TrialSpec) -> Golden | None:
    """Watch over a workload; nothing where it offers no replay or the trial wants none."""
    if not spec.golden_interval or not hasattr(workload, "replay"):
        return None
    return Golden(cast(Replayed, workload), sources.golden(spec.stream, spec.seed), spec.golden_interval)


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """How far the first answer is from what it should be."""

    difference: float
    """The largest, as a part of the largest value; it may be no number."""
    tolerance: float

    @property
    def right(self) -> bool:
        """Whether it is near enough."""
        return self.difference <= self.tolerance

    @property
    def said(self) -> str:
        """In words."""
        return (
            f"the first answer differs by {self.difference:.2g} of the largest value from the reference"
            f" (NumPy, float64); tolerance {self.tolerance:.2g}"
        )

    @property
    def data(self) -> dict[str, float]:
        """By name; a difference that is no number is left out."""
        told = {"difference": self.difference, "tolerance": self.tolerance}
        return {name: value for name, value in told.items() if math.isfinite(value)}


class Golden:
    """Computes the answer once, then again between steps, and compares."""

    def __init__(self, workload: Replayed, item: Any, interval: float) -> None:
        self._workload, self._item = workload, item
        self._first = workload.replay(item)
        self._scale = 0.0
        self.check = self._checked()
        """Of the first answer; None where what it should be is not known."""
        self._every = Every(interval, time.monotonic() + interval)
        self.replays = 0
        """Comparisons so far."""

    def _checked(self) -> AnswerCheck | None:
        known = self._workload.known_answer(self._item) if hasattr(self._workload, "known_answer") else None
        if known is None:
            return None
        self._scale = known.scale
        return AnswerCheck(apart(self._first[known.rows], known.values, known.scale), known.tolerance)

    def due(self, now: float) -> bool:
        """Whether it is time for another."""
        return self._every.due(now)

    def changed(self, step: int) -> str:
        """Replay the item after that step; what is wrong with the answer, or nothing."""
        answer = self._workload.replay(self._item)
        self.replays += 1
        difference, tolerance = apart(answer, self._first, self._scale), self._workload.replay_tolerance
        # Not bit by bit: libraries may choose another algorithm for the same shape while they run (when there is less
        # room for a workspace, say), and a sum taken in another order is no damage. A difference that is no number is.
        if difference <= tolerance:
            return ""
        return (
            f"the golden clip's answer changed at step {step}: it differs by {difference:.2g} of the largest value;"
            f" tolerance {tolerance:.2g}"
        )
