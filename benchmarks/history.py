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

from monitors.comparison.chance import of_noise
from monitors.comparison.changes import ALPHA, courses
from monitors.comparison.measures import named
from monitors.comparison.places import Floats, evidence, tamed

GROWTH = named("growth")
MEASURES = 6
RUNS = (6, 12, 30)
Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]
NOISES: Mapping[str, Draw] = {
    "normal": lambda chance, shape: chance.standard_normal(shape),
    "Laplace": lambda chance, shape: chance.laplace(size=shape),
    "Student's t, 3 degrees of freedom": lambda chance, shape: chance.standard_t(3, shape),
    "uniform": lambda chance, shape: chance.random(shape),
    "one of two values": lambda chance, shape: chance.integers(0, 2, shape).astype(float),
    "log-normal": lambda chance, shape: np.exp(chance.standard_normal(shape)),
    "one run 15 deviations off": lambda chance, shape: _far(chance, shape),
    "neighbours correlated by 0.3": lambda chance, shape: _correlated(chance, shape, 0.3),
}
SPLITS = ((3, 3), (6, 6), (8, 8), (20, 3), (20, 6))


def _far(chance: np.random.Generator, shape: tuple[int, int]) -> Floats:
    values = chance.standard_normal(shape)
    values[np.arange(shape[0]), chance.integers(0, shape[1], shape[0])] += 15
    return values


def _correlated(chance: np.random.Generator, shape: tuple[int, int], memory: float) -> Floats:
    values = chance.standard_normal(shape)
    for run in range(1, shape[1]):
        values[:, run] = memory * values[:, run - 1] + np.sqrt(1 - memory**2) * values[:, run]
    return values


def p_values(drawn: Floats) -> Floats:
    """Of many courses of equal length, shape (courses, runs), as `chance.p_value` has each."""
    judged = tamed(drawn)
    without = of_noise(MEASURES)(judged[0])
    above = len(without) - np.searchsorted(without, evidence(judged) - 1e-9)
    return np.asarray((1 + above) / (1 + len(without)))


def false_alarms(draw: Draw, runs: int, measures: int, histories: int) -> float:
    """Share of histories without a change of which the least p, adjusted, is at most α."""
    drawn = draw(np.random.default_rng(runs), (measures * histories, runs))
    least = p_values(drawn).reshape(histories, measures).min(axis=1)
    return float((measures * least <= ALPHA).mean())


def found(before: int, after: int, shift: float, histories: int) -> list[float]:
    """Shares: of shifts that are found, alone and as one of six measures; of those found alone, how many are dated
    within one run, within the runs that are told, and have an interval that holds the shift."""
    drawn = np.random.default_rng(before * 100 + after).standard_normal((histories, before + after))
    drawn[:, before:] += shift
    among = float((MEASURES * p_values(drawn) <= ALPHA).mean())
    seen = dated = held = covered = 0
    for values in drawn[: histories // 5]:
        changes = courses([(GROWTH, values)])[0].changes
        if not changes:
            continue
        one = min(changes, key=lambda change: abs(change.at - before))
        low, high = one.absolute.low, one.absolute.high
        seen += 1
        dated += abs(one.at - before) <= 1
        held += one.earliest <= before <= one.latest
        covered += low is not None and high is not None and low <= shift <= high
    return [seen / (histories // 5), among, *(count / max(1, seen) for count in (dated, held, covered))]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=2000, help="of each kind")
    count = parser.parse_args().histories
    print(f"{count:,} histories of each kind; at most {100 * ALPHA:g} % may show a change without one\n")
    heads = [*(f"{runs} runs" for runs in RUNS), f"{MEASURES} measures, 12 runs"]
    print(f"| without a change, noise | {' | '.join(heads)} |\n| --- | {' | '.join('---:' for _ in heads)} |")
    for name, draw in NOISES.items():
        cells = [*(false_alarms(draw, runs, 1, count) for runs in RUNS), false_alarms(draw, 12, MEASURES, count)]
        print(f"| {name} | {' | '.join(f'{100 * cell:.1f} %' for cell in cells)} |", flush=True)
    heads = ["shift", "found", f"as one of {MEASURES}", "within one run", "within the runs told", "interval holds it"]
    print(f"\n| runs before, after | {' | '.join(heads)} |\n| --- | {' | '.join('---:' for _ in heads)} |")
    for before, after in SPLITS:
        for shift in (3.0, 5.0, 10.0):
            cells = found(before, after, shift, count)
            told = " | ".join(f"{100 * cell:.0f} %" for cell in cells)
            print(f"| {before}, {after} | {shift:g} σ | {told} |", flush=True)


if __name__ == "__main__":
    main()
