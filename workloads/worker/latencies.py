"""How long steps take: since the last beat, in all, and how they are spread. Bounded, however many there are."""

from __future__ import annotations

import bisect
import itertools

from workloads.load.histogram import Histogram
from workloads.protocol import wire

_TOLD = (("p50", 0.5), ("p99", 0.99))


class StepLatencies:
    """Of one worker. What each step costs is about a microsecond, of a beat a tenth of a millisecond."""

    def __init__(self) -> None:
        self._steps = 0
        self._sum = self._longest = 0.0
        self._total = 0.0
        self._within = [0] * len(wire.LATENCY_BOUNDS)
        self._spread = Histogram()
        self._settled = False

    def add(self, seconds: float) -> None:
        """Count one step."""
        self._steps += 1
        self._sum += seconds
        if seconds > self._longest:
            self._longest = seconds
        self._total += seconds
        first = bisect.bisect_left(wire.LATENCY_BOUNDS, seconds)
        if first < len(self._within):
            self._within[first] += 1
        self._spread.add(seconds)

    def values(self) -> dict[str, float]:
        """What a beat tells of them, by metric name."""
        values = {"step_latency_total_seconds": self._total}
        if self._steps:
            values["step_latency_seconds"] = self._sum / self._steps
            values["step_latency_max_seconds"] = self._longest
        for name, share in _TOLD:
            if (latency := self._spread.quantile(share)) is not None:
                values[f"step_latency_overall_{name}_seconds"] = latency
        within = itertools.accumulate(self._within)
        values.update(zip(map(wire.bucket, wire.LATENCY_BOUNDS), map(float, within), strict=True))
        return values

    def told(self, settled: bool) -> None:
        """A beat told them.

        settled: whether the trial is past its start. What was before it is in no quantile from then on: a model that
        traces and compiles takes its time once, and of few steps that alone would be the slowest in a hundred.
        """
        self._steps, self._sum, self._longest = 0, 0.0, 0.0
        if settled and not self._settled:
            self._spread, self._settled = Histogram(), True
