"""The report of 72 h at 1 Hz, 30 series: seconds from a record to its body and its page, and the size of the page.

    python benchmarks/report.py [--hours 72] [--series 30]

Only the reports are timed: series are synthetic and in memory, findings are given. `benchmarks/record.py` times the
whole command, with the store and the judgement.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np

from monitors import catalog
from monitors.detection.series import Series
from monitors.judgement import Judgement
from monitors.model import Event, Finding, Loss
from reports import catalog as formats
from reports import document
from reports.record import RunInfo, TrialInfo

WALL = 1_700_000_000.0


class Synthetic:
    """One long trial. Satisfies `reports.record.RunRecord`."""

    def __init__(self, hours: float, width: int) -> None:
        self._seconds = hours * 3600
        t = np.arange(self._seconds)
        chance = np.random.default_rng(1)
        # Judged metrics first: they are the ones that are drawn.
        specs = sorted(catalog.all_specs().values(), key=lambda spec: not spec.judged)[:width]
        self._series = [
            Series(spec, "", t, t.copy() if spec.counter else 5e8 + chance.normal(0, 1e6, len(t)), steps=t)
            for spec in specs
        ]

    def run(self) -> RunInfo:
        """A run that passed."""
        return RunInfo("synthetic", "synthetic", "0", "", "", "", 0, WALL, WALL + self._seconds, "pass", "synthetic")

    def trials(self) -> Sequence[TrialInfo]:
        """The one."""
        return [
            TrialInfo(
                0, "synthetic", "recurrent", "torch", "infer", "eager", 0, "b", "torch eager", "ended", started=WALL,
                seconds=self._seconds, end_reason="finished", judgement=self._judgement(),
            )
        ]  # fmt: skip

    def events(self) -> Sequence[Event]:
        """One an hour."""
        return [Event(t, "gap", "synthetic", 0, WALL + t) for t in np.arange(0.0, self._seconds, 3600.0).tolist()]

    def _judgement(self) -> Judgement:
        """With a finding of each judged series, so that every chart has a fit and a shaded part."""
        findings = [
            Finding(
                "trend", one.name, one.metric.layer, one.metric.unit, "pass", 0.01, False, 10.0, (-20.0, 40.0), 0.003,
                90.0, "flat", "flat", len(one.t), 0, judged_from=self._seconds / 5,
            )
            for one in self._series
            if one.metric.judged
        ]  # fmt: skip
        return Judgement("pass", "synthetic", 0.01, findings=tuple(findings))

    def series(self, trial: int) -> Sequence[Series]:
        """All of them."""
        return self._series

    def loss(self, trial: int) -> Loss:
        """None of them."""
        return Loss()

    def damage(self) -> Sequence[str]:
        """None."""
        return ()


def main() -> None:
    """Time both parts, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, default=72.0)
    parser.add_argument("--series", type=int, default=30)
    options = parser.parse_args()
    record = Synthetic(options.hours, options.series)
    began = time.perf_counter()
    body = document.build(record)
    built = time.perf_counter()
    page = formats.load("html").render(body, record)
    rendered = time.perf_counter()
    width = len(record.series(0))
    print(f"| report of {options.hours:g} h at 1 Hz, synthetic ({width} series, {page.count('<svg')} charts) | |")
    print(f"| --- | --- |\n| body | {built - began:.2f} s |\n| html | {rendered - built:.2f} s |")
    print(f"| size of the page | {len(page.encode()) / 1e6:.2f} MB |")


if __name__ == "__main__":
    main()
