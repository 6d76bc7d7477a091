"""One item whose answer is known from the start: damage to weights, libraries or memory shows as another answer.

It depends on the source's options and the seed alone; the running source does not lose one for it.
"""

from __future__ import annotations

import time
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from workloads import sources
from workloads.protocol.contract import Replayed, Workload
from workloads.protocol.order import TrialSpec
from workloads.worker.every import Every


def golden_of(workload: Workload, spec: TrialSpec) -> Golden | None:
    """Watch over a workload; nothing where it offers no replay or the trial wants none."""
    if not spec.golden_interval or not hasattr(workload, "replay"):
        return None
    return Golden(cast(Replayed, workload), sources.golden(spec.stream, spec.seed), spec.golden_interval)


class Golden:
    """Computes the answer once, then again between steps, and compares."""

    def __init__(self, workload: Replayed, item: Any, interval: float) -> None:
        self._workload, self._item = workload, item
        self._first = workload.replay(item)
        self._every = Every(interval, time.monotonic() + interval)
        self.replays = 0
        """Comparisons so far."""

    def due(self, now: float) -> bool:
        """Whether it is time for another."""
        return self._every.due(now)

    def changed(self, step: int) -> str:
        """Replay the item after that step; what is wrong with the answer, or nothing."""
        answer = self._workload.replay(self._item)
        self.replays += 1
        difference, largest = distance(self._first, answer)
        # Not bit by bit: libraries may choose another algorithm for the same shape while they run (when there is less
        # room for a workspace, say), and a sum taken in another order is no damage. A difference that is no number is.
        if difference <= self._workload.replay_tolerance * largest:
            return ""
        return (
            f"the golden clip's answer changed at step {step}: it differs by {difference:.3g},"
            f" where the largest value is {largest:.3g}"
        )


def distance(first: npt.NDArray[np.float32], answer: npt.NDArray[np.float32]) -> tuple[float, float]:
    """The largest difference of two answers of one shape, and the largest value of the first."""
    with np.errstate(invalid="ignore"):
        return float(np.abs(answer - first).max()), float(np.abs(first).max())
