"""An alarm that may be looked at every second of a trial of days: it judges what has come so far, at few times.

Looks are spaced by a constant factor of the trial's length, so each sees enough that is new; the evidence must hold at
three looks running. No sample is kept but in condensed form: O(1) a sample, bounded memory.

That nothing grows for ever can only be said relative to a trial's length. A look before a quarter of it would call
every slow warm-up a leak, so there is none; what would exhaust the machine before that is another alarm's to tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from monitors.alarm_schedule import RUNNING, alarm_schedule
from monitors.detection.condense import Condenser
from monitors.detection.detectors.trend import Trend
from monitors.detection.judge import JudgeSettings
from monitors.detection.jumps import gave_back
from monitors.detection.series import Series
from monitors.model import Finding, MetricSpec


@dataclass(frozen=True, slots=True)
class InterimFinding:
    """What was seen at one look."""

    t: float
    finding: Finding
    alarm: bool
    """Whether the evidence holds, at this look and as many before as are asked for."""
    rate_below: float | None
    """Per hour: what the rate is below, at every look at once, with the confidence of the alarm."""


class Alarm:
    """Watches one series of a trial that will last `horizon` seconds.

    alpha: chance of any false alarm, over the whole trial, that is accepted.
    """

    def __init__(
        self, metric: MetricSpec, horizon: float, alpha: float = 0.05, settings: JudgeSettings | None = None
    ) -> None:
        self._metric = metric
        self._schedule = [horizon * share for share in alarm_schedule()]
        self._alpha = alpha
        self._settings = replace(settings or JudgeSettings(), confidence=1 - 2 * alpha / len(self._schedule))
        self._condenser = Condenser()
        self._held = 0
        self.last: InterimFinding | None = None
        self.raised: InterimFinding | None = None
        """The first look at which the alarm was raised."""

    def add(self, t: float, value: float) -> InterimFinding | None:
        """Take a sample, `t` seconds after the trial began; what was seen, if a look was due."""
        return self.extend(np.array([t]), np.array([value]))

    def extend(self, t: np.ndarray, values: np.ndarray) -> InterimFinding | None:
        """Take several samples, shape (n,), in order; the last look that was due within them."""
        seen = None
        while self._schedule and len(t) and t[-1] >= self._schedule[0]:
            due = int(np.searchsorted(t, self._schedule[0])) + 1
            self._condenser.add(t[:due], values[:due])
            t, values = t[due:], values[due:]
            seen = self._look(self._schedule.pop(0))
        self._condenser.add(t, values)
        return seen

    def _look(self, at: float) -> InterimFinding:
        series = self._condenser.series(self._metric)
        finding = Trend().judge_whole(series, self._settings)
        holds = holds_evidence(finding, self._alpha, series)
        interval = finding.rate_per_hour_ci95
        self._held = self._held + 1 if holds else 0
        self.last = InterimFinding(at, finding, self._held >= RUNNING, interval[1] if interval else None)
        if self.last.alarm and self.raised is None:
            self.raised = self.last
        return self.last


def holds_evidence(finding: Finding, alpha: float, series: Series) -> bool:
    """Whether a finding about `series` is evidence enough for an alarm.

    The odds are a Bayes factor: that one ever exceeds 1 / alpha, where nothing grows, has a chance of alpha at most
    (Ville 1939), as far as the shapes without growth hold what there is. `python -m benchmarks.alarm` shows how far.
    What only grows if a restart is assumed does not count, nor what fell and has not come as far again: it may be a
    sawtooth of few teeth.
    """
    surely = finding.evidence is not None and finding.evidence >= math.log(1 / alpha)
    begun_anew = finding.restarts > 0 and finding.rate_per_step is None
    return surely and finding.verdict == "leak" and not begun_anew and (finding.restarts > 0 or not gave_back(series))
