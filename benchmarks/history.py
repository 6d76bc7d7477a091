"""Changes of level from run to run: how often one is told where there is none, and found where there is one.

`python -m benchmarks.history`: the tables of docs/history.md. Histories without a change, by the kind of noise; a shift
of 3, 5 and 10 deviations of one run, by how many runs are before and after it, alone and as one of six measures; and
how good date and interval are.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from monitors.comparison.changes import ALPHA, courses
from monitors.comparison.measures import named
from monitors.comparison.places import Floats

GROWTH = named("growth")
MEASURES = 6
Draw = Callable[[np.random.Generator, int], Floats]
NOISES: Mapping[str, Draw] = {
    "normal": lambda chance, runs: chance.standard_normal(runs),
    "Laplace": lambda chance, runs: chance.laplace(size=runs),
    "Student's t, 3 degrees of freedom": lambda chance, runs: chance.standard_t(3, runs),
    "uniform": lambda chance, runs: chance.random(runs),
    "one of two values": lambda chance, runs: chance.integers(0, 2, runs).astype(float),
    "log-normal": lambda chance, runs: np.exp(chance.standard_normal(runs)),
    "one run 15 deviations off": lambda chance, runs: _far(chance, runs),
    "neighbours correlated by 0.3": lambda chance, runs: _correlated(chance, runs, 0.3),
}
SPLITS = ((3, 3), (4, 4), (6, 6), (8, 8), (20, 3), (20, 6))


def _far(chance: np.random.Generator, runs: int) -> Floats:
    values = chance.standard_normal(runs)
    values[chance.integers(0, runs)] += 15
    return values


def _correlated(chance: np.random.Generator, runs: int, memory: float) -> Floats:
    values = chance.standard_normal(runs)
    for run in range(1, runs):
        values[run] = memory * values[run - 1] + np.sqrt(1 - memory**2) * values[run]
    return values


def false_alarms(draw: Draw, runs: int, measures: int, histories: int) -> float:
    """Share of histories without a change that show one."""
    chance = np.random.default_rng(runs)
    told = sum(
        any(course.changes for course in courses([(GROWTH, draw(chance, runs)) for _ in range(measures)]))
        for _ in range(histories)
    )
    return told / histories


def found(before: int, after: int, shift: float, measures: int, histories: int) -> tuple[float, float, float, float]:
    """Shares: of shifts that are found; of these, dated within one run, within the runs that are told, and whose
    interval holds the shift."""
    chance, runs = np.random.default_rng(before * 100 + after), before + after
    seen = dated = held = covered = 0
    for _ in range(histories):
        series = [chance.standard_normal(runs) for _ in range(measures)]
        series[0][before:] += shift
        changes = courses([(GROWTH, values) for values in series])[0].changes
        if not changes:
            continue
        one = min(changes, key=lambda change: abs(change.at - before))
        seen += 1
        dated += abs(one.at - before) <= 1
        held += one.earliest <= before <= one.latest
        low, high = one.absolute.low, one.absolute.high
        covered += low is not None and high is not None and low <= shift <= high
    return seen / histories, *(count / max(1, seen) for count in (dated, held, covered))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=2000, help="of each kind")
    count = parser.parse_args().histories
    print(f"{count:,} histories of each kind; at most {100 * ALPHA:g} % may show a change without one\n")
    print("| noise | 6 runs | 12 runs | 30 runs | six measures, 12 runs |\n| --- | ---: | ---: | ---: | ---: |")
    for name, draw in NOISES.items():
        cells = [false_alarms(draw, runs, 1, count) for runs in (6, 12, 30)]
        cells.append(false_alarms(draw, 12, MEASURES, count // 4))
        print(f"| {name} | " + " | ".join(f"{100 * cell:.1f} %" for cell in cells) + " |", flush=True)
    print("\n| runs before, after | shift | found | within one run | within the runs told | interval holds it | "
          "found, one of six |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |")  # fmt: skip
    for before, after in SPLITS:
        for shift in (3.0, 5.0, 10.0):
            alone, among = found(before, after, shift, 1, count // 2), found(before, after, shift, MEASURES, count // 4)
            cells = [*alone, among[0]]
            print(
                f"| {before}, {after} | {shift:g} | " + " | ".join(f"{100 * c:.0f} %" for c in cells) + " |", flush=True
            )


if __name__ == "__main__":
    main()
