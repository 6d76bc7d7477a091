"""Memory of whole machines that do not leak, called leaks how often? `python -m benchmarks.machines [--real FOLDER]`.

Half a day each: simulated machines whose use wanders, follows the day, and goes up and down with jobs; and, of recorded
ones (CSV with a time and a column of memory in use), every window of half a day, an eighth of a day apart. Beside the
simulated ones, what a leak of the machine costs: how many are found that grow by so many deviations.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from monitors.detection.condense import condensed
from monitors.detection.judge import judge
from monitors.detection.series import Series
from monitors.detection.simulated_machines import MACHINES, machine
from soak.traces import tables
from soak.traces.columns import metric_of
from soak.traces.judging import settings_of

HALF_A_DAY, WAIT = 43_200.0, 10.0
GROWTHS = (0.0, 6.0, 12.0, 40.0)
COLUMN = "memory_used_bytes"
_MIB = 2.0**20
_WINDOWS_A_DAY = 8


@dataclass(frozen=True)
class Case:
    """A simulated half-day. growth: in deviations of what wanders."""

    kind: str
    growth: float
    seed: int


def verdict(series: Series) -> str:
    """As `soak analyze` has it."""
    return judge(condensed([series]), settings_of()).verdict


def of_case(case: Case) -> str:
    """The verdict on one simulated half-day, of 8 GiB in use."""
    t = np.arange(0.0, HALF_A_DAY, WAIT)
    values = machine(case.kind, t, case.seed) + case.growth * t / HALF_A_DAY
    return verdict(Series(metric_of(COLUMN), "", t, np.round(8192 * _MIB + 32 * _MIB * values)))


def windows(path: Path) -> Iterator[Series]:
    """Every half-day of each column of a recorded machine."""
    for series in tables.read(path).series:
        for begin in np.arange(0.0, series.t[-1] - HALF_A_DAY, 2 * HALF_A_DAY / _WINDOWS_A_DAY):
            first, last = np.searchsorted(series.t, (begin, begin + HALF_A_DAY))
            yield series.part(slice(int(first), int(last)))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--series", type=int, default=100, help="half-days of each kind of machine")
    parser.add_argument("--real", type=Path, nargs="*", default=[], help="CSV files of recorded machines")
    parser.add_argument("--workers", type=int, help="processes; one for each core where it is not given")
    options = parser.parse_args()
    seeds = range(options.series)
    jobs = [Case(kind, growth, k) for kind in MACHINES for growth in GROWTHS for k in seeds]
    with ProcessPoolExecutor(options.workers) as pool:
        told = dict(zip(jobs, pool.map(of_case, jobs, chunksize=8), strict=True))
    print(f"| machine, called leaks | {' | '.join(f'{growth:g} σ' for growth in GROWTHS)} |")
    print(f"| --- |{' ---: |' * len(GROWTHS)}")
    for kind in MACHINES:
        shares = [np.mean([told[Case(kind, growth, k)] == "leak" for k in seeds]) for growth in GROWTHS]
        print(f"| {kind} | {' | '.join(f'{share:.1%}' for share in shares)} |")
    said = [verdict(window) for path in options.real for window in windows(path)]
    if said:
        print(f"\n{said.count('leak')} of {len(said)} recorded half-days are called leaks, {said.count('pass')} pass.")


if __name__ == "__main__":
    main()
