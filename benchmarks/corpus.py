"""The labelled corpus: `python -m benchmarks.corpus --out FOLDER` writes every simulated trace as CSV with its truth.

Every family of `monitors.detection.simulation`, over lengths from minutes to 72 h, every kind of noise, and growth from
below the limit of detection upwards. Nothing is stored: the same cases make the same traces everywhere.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monitors.detection.condense import condensed
from monitors.detection.judge import JudgeSettings
from monitors.detection.series import Floats, Series
from monitors.detection.simulation import BENIGN, LEAKS, NOISES, SimulatedTrace, bytes_of, draw

LENGTHS = {"1 min": (48, 1.25), "5 min": (300, 1.0), "1 h": (1800, 2.0), "8 h": (5760, 5.0), "72 h": (17280, 15.0)}
"""Samples, and seconds between two."""
GROWTHS = (1.5, 3.0, 6.0, 12.0, 40.0)
"""Over the whole trace, in deviations of all that stays beside it."""
DEVIATION = 2.0**20
"""Bytes for a deviation of noise."""
SETTINGS = JudgeSettings(min_rate_bytes_per_hour=0.0, least_growth_bytes=0.0, least_growth_share=0.0)
"""Nothing is too little: the truth is whether a trace grows, not whether that matters to anyone."""


@dataclass(frozen=True)
class Case:
    """What one trace is made of."""

    family: str
    noise: str
    length: str
    growth: float
    seed: int

    @property
    def t(self) -> Floats:
        """Seconds."""
        count, spacing = LENGTHS[self.length]
        return np.arange(count) * spacing

    @property
    def span(self) -> float:
        """Seconds from the first sample to the last."""
        return float(self.t[-1])


def cases(series: int, first_seed: int = 0) -> Iterator[Case]:
    """`series` traces of each family and length, their noise drawn at random, their growth evenly.

    Another `first_seed`, as far off as there are traces, draws others of the same kinds.
    """
    generator = np.random.default_rng(20260101)
    noises = list(NOISES)
    for family in (*BENIGN, *LEAKS):
        for length in LENGTHS:
            for seed in range(series):
                growth = 0.0 if family in BENIGN else GROWTHS[seed % len(GROWTHS)]
                yield Case(family, str(generator.choice(noises)), length, growth, first_seed + seed)


def series_of(case: Case) -> tuple[SimulatedTrace, Series]:
    """The trace, and the series of memory that is judged."""
    trace = draw(case.family, case.noise, case.t, case.growth, case.seed)
    return trace, condensed([bytes_of(trace, DEVIATION)])[0]


def main() -> None:
    """Write the corpus."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--series", type=int, default=5, help="traces of each family and length")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "truth.csv").open("w", newline="") as file:
        truth = csv.writer(file)
        truth.writerow(("file", "family", "noise", "length", "leaks", "growth_deviations", "rate_bytes_per_hour"))
        for number, case in enumerate(cases(options.series)):
            trace = draw(case.family, case.noise, case.t, case.growth, case.seed)
            series, name = bytes_of(trace, DEVIATION), f"{number:05d}.csv.gz"
            rate = trace.rate * DEVIATION * 3600 / case.span
            truth.writerow((name, case.family, case.noise, case.length, trace.leaks, trace.growth, round(rate, 3)))
            rows = "\n".join(f"{t:g},{v:.0f}" for t, v in zip(series.t, series.values, strict=True))
            with gzip.open(options.out / name, "wt", compresslevel=6) as out:
                out.write(f"t,rss_bytes\n{rows}\n")


if __name__ == "__main__":
    main()
