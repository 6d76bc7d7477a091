"""How well few floors are judged: `python -m benchmarks.floors`. No calibration has seen these families.

Series of `monitors.detection.simulated_floors`: 12, 24 and 60 floors a minute apart, under four kinds of noise in whole
pages, growth of 128 pages (half a MiB over the trial) and more.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

# One process for each core: threads of the linear algebra would only get in their way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from monitors.detection.judge import JudgeSettings, judge
from monitors.detection.simulated_floors import COUNTS, LEAKING, NOISES, STILL, draw
from monitors.model import Finding

GROWTHS = (128.0, 512.0, 2048.0, 16384.0)
"""Pages over the whole trial."""
MIB = 2.0**20


@dataclass(frozen=True)
class Case:
    """What one series is made of; without growth for what does not leak."""

    family: str
    noise: str
    count: int
    growth: float
    seed: int


def found(case: Case) -> tuple[Case, float, Finding]:
    """The case, its true rate and what was found."""
    drawn = draw(case.family, case.noise, case.count, case.growth, case.seed)
    (finding,) = judge([drawn.series], JudgeSettings(min_rate_bytes_per_hour=0.0)).findings
    return case, drawn.rate, finding


def show_still(judged: Sequence[tuple[Case, float, Finding]]) -> None:
    """False alarms, what passes, and the rate that would have been seen."""
    print("| family that does not leak | floors | leak | pass | would have seen, median |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for family in STILL:
        for count in COUNTS:
            own = [finding for case, _, finding in judged if (case.family, case.count) == (family, count)]
            seen = [f.minimum_detectable_rate_per_hour or np.inf for f in own]
            leak, calm = (np.mean([f.verdict == verdict for f in own]) for verdict in ("leak", "pass"))
            print(f"| {family} | {count} | {leak:.1%} | {calm:.1%} | {np.median(seen) / MIB:.1f} MiB/h |")


def show_leaking(judged: Sequence[tuple[Case, float, Finding]]) -> None:
    """What is found, by growth, and how far off the rate is."""
    print(f"\n| family that leaks: found at | floors | {' | '.join(f'{g:g} pages' for g in GROWTHS)} | off by, median "
          f"| within 10 % | interval holds |\n| --- | ---: |{' ---: |' * (len(GROWTHS) + 3)}")  # fmt: skip
    for family in LEAKING:
        for count in COUNTS:
            own = [row for row in judged if (row[0].family, row[0].count) == (family, count)]
            cells = [f"{np.mean([f.verdict == 'leak' for c, _, f in own if c.growth == g]):.1%}" for g in GROWTHS]
            leaks = [(rate, f) for _, rate, f in own if f.verdict == "leak"]
            off = np.array([abs((f.rate_per_hour or 0.0) / rate - 1) for rate, f in leaks])
            held = [f.rate_per_hour_ci95[0] <= rate <= f.rate_per_hour_ci95[1] for rate, f in leaks
                    if f.rate_per_hour_ci95]  # fmt: skip
            print(f"| {family} | {count} | {' | '.join(cells)} | {np.median(off):.1%} | {np.mean(off < 0.1):.1%} | "
                  f"{np.mean(held):.1%} |")  # fmt: skip


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--series", type=int, default=25, help="series of each family, count, noise and growth")
    options = parser.parse_args()
    cases = [
        Case(family, noise, count, growth, seed)
        for family in (*STILL, *LEAKING)
        for growth in (GROWTHS if family in LEAKING else (0.0,))
        for count in COUNTS
        for noise in NOISES
        for seed in range(options.series)
    ]
    with ProcessPoolExecutor() as pool:
        judged = list(pool.map(found, cases, chunksize=16))
    show_still(judged)
    show_leaking(judged)


if __name__ == "__main__":
    main()
