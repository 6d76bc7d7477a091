"""Our detector and the rules that people use, on the same traces: `python -m benchmarks.detectors`.

Simulated families over lengths and noise, and the real traces of `benchmarks/traces`. Precision, recall, F1, Brier
score (a rule that only says yes or no is taken at its word), false alarms by family, how early a leak is found, and
what 72 h at 1 Hz cost. --aging FOLDER adds the published study of PyTorch inference servers.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.corpus import DEVIATION, GROWTHS, LENGTHS, SETTINGS, Case
from benchmarks.real_traces import TRACES
from benchmarks.rivals import RULES
from monitors.detection import calibration
from monitors.detection.condense import condensed
from monitors.detection.detectors.trend import Trend
from monitors.detection.judge import judge
from monitors.detection.series import Series
from monitors.detection.simulation import BENIGN, LEAKS, MEMORY, NOISES, bytes_of, draw
from soak.traces import tables
from soak.traces.judging import settings_of

OURS = "soak"
NAMES = (OURS, *RULES)
DELAYS = tuple(np.linspace(0.1, 1.0, 10))
_LENGTHS = ("5 min", "1 h", "8 h", "72 h")


def probabilities(series: Series) -> dict[str, float]:
    """What each says of one series: a probability, or 0 or 1."""
    said = {name: float(rule(series.t, series.values)) for name, rule in RULES.items()}
    found = Trend().judge(condensed([series])[0], SETTINGS)
    return {OURS: found.leak_probability or 0.0, **said}


def of_case(case: Case) -> dict[str, float]:
    """The same for one simulated trace."""
    return probabilities(bytes_of(draw(case.family, case.noise, case.t, case.growth, case.seed), DEVIATION))


def chosen(count: int) -> list[Case]:
    """`count` traces of each family and length."""
    generator = np.random.default_rng(5)
    return [
        Case(f, str(generator.choice(list(NOISES))), length, 0.0 if f in BENIGN else GROWTHS[k % len(GROWTHS)], 900 + k)
        for f in (*BENIGN, *LEAKS)
        for length in _LENGTHS
        for k in range(count)
    ]


def said_leak(name: str, value: float) -> bool:
    """The verdict."""
    return value >= (calibration.load().leak_from if name == OURS else 0.5)


def summary(cases: Sequence[Case], said: Sequence[dict[str, float]]) -> None:
    """The main table, and false alarms by family."""
    print(
        "| simulated | precision, ≥ 6 σ | recall, ≥ 6 σ | F1, ≥ 6 σ | F1, < 6 σ | Brier | worst family: false alarms |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    false: dict[str, dict[str, float]] = {}
    for name in NAMES:
        strong = scores(cases, said, name, lambda c: c.growth == 0 or c.growth >= 6)
        weak = scores(cases, said, name, lambda c: c.growth < 6)
        brier = balanced(cases, [(s[name] - (c.family in LEAKS)) ** 2 for c, s in zip(cases, said, strict=True)])
        false[name] = {
            f: float(np.mean([said_leak(name, s[name]) for c, s in zip(cases, said, strict=True) if c.family == f]))
            for f in BENIGN
        }
        worst = max(false[name], key=lambda f: false[name][f])
        print(f"| {name} | {strong[0]:.3f} | {strong[1]:.3f} | {strong[2]:.3f} | {weak[2]:.3f} | {brier:.3f} | "
              f"{worst}: {false[name][worst]:.0%} |")  # fmt: skip
    print(f"\n| false alarms | {' | '.join(NAMES)} |\n| --- |{' ---: |' * len(NAMES)}")
    for family in BENIGN:
        print(f"| {family} | {' | '.join(f'{false[name][family]:.0%}' for name in NAMES)} |")


def scores(
    cases: Sequence[Case], said: Sequence[dict[str, float]], name: str, which: Callable[[Case], bool]
) -> tuple[float, float, float]:
    """Precision, recall and F1."""
    rows = [(c.family in LEAKS, said_leak(name, s[name])) for c, s in zip(cases, said, strict=True) if which(c)]
    hits = sum(leaks and found for leaks, found in rows)
    precision, recall = hits / max(1, sum(f for _, f in rows)), hits / max(1, sum(leaks for leaks, _ in rows))
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def balanced(cases: Sequence[Case], values: Sequence[float]) -> float:
    """Mean, leaks and no leaks weighing the same."""
    groups: dict[bool, list[float]] = defaultdict(list)
    for case, value in zip(cases, values, strict=True):
        groups[case.family in LEAKS].append(value)
    return float(np.mean([np.mean(group) for group in groups.values()]))


def delays(pool: ProcessPoolExecutor, count: int) -> None:
    """The share of a trial from which each keeps saying leak, median; a rule that also fires on calm is quick too."""
    jobs = [(growth, k) for growth in (6.0, 12.0, 40.0) for k in range(count)]
    rows = list(pool.map(first_found, jobs))
    print("\n| linear leak of 72 h found at, median | 6 σ | 12 σ | 40 σ |\n| --- | ---: | ---: | ---: |")
    for name in NAMES:
        cells = []
        for growth in (6.0, 12.0, 40.0):
            at = float(np.median([row[name] for (g, _), row in zip(jobs, rows, strict=True) if g == growth]))
            cells.append("not" if np.isinf(at) else f"{at:.0%}")
        print(f"| {name} | {' | '.join(cells)} |")


def first_found(job: tuple[float, int]) -> dict[str, float]:
    """From which share on each says leak, to the end; infinite where it never does."""
    growth, seed = job
    n, spacing = LENGTHS["72 h"]
    series = bytes_of(draw("linear", list(NOISES)[seed % len(NOISES)], np.arange(n) * spacing, growth, seed), DEVIATION)
    out = dict.fromkeys(NAMES, np.inf)
    for share in reversed(DELAYS):
        said = probabilities(series.part(slice(0, int(share * n))))
        for name in NAMES:
            later = out[name] == (np.inf if share == DELAYS[-1] else DELAYS[DELAYS.index(share) + 1])
            if later and said_leak(name, said[name]):
                out[name] = share
    return out


def cost() -> None:
    """Time and memory for one series of three days at 1 Hz."""
    t = np.arange(259_200.0)
    series = Series(MEMORY, "", t, 3e8 + 1e6 * np.random.default_rng(0).normal(size=len(t)) + 10 * t)
    print("\n| 72 h at 1 Hz, one series | time | memory |\n| --- | ---: | ---: |")
    ours = {OURS: lambda t, y: bool(Trend().judge(condensed([series])[0], SETTINGS).verdict == "leak")}
    for name, rule in {**ours, **RULES}.items():
        rule(t[:2000], series.values[:2000])
        tracemalloc.start()
        began = time.perf_counter()
        rule(t, series.values)
        took = time.perf_counter() - began
        print(f"| {name} | {1000 * took:.0f} ms | {tracemalloc.get_traced_memory()[1] / 2**20:.0f} MiB |")
        tracemalloc.stop()


def growth_with_length() -> None:
    """How the cost of one series grows with its samples."""
    print("\n| samples | to condense and judge one series | a sample |\n| ---: | ---: | ---: |")
    for n in (10**3, 10**4, 10**5, 10**6, 10**7):
        t = np.arange(float(n))
        series = Series(MEMORY, "", t, 3e8 + 1e6 * np.random.default_rng(0).normal(size=n))
        Trend().judge(condensed([series])[0], SETTINGS)
        began = time.perf_counter()
        Trend().judge(condensed([series])[0], SETTINGS)
        took = time.perf_counter() - began
        print(f"| {n:,} | {1000 * took:.0f} ms | {took / n * 1e6:.2f} µs |")


def real() -> None:
    """The real traces: resident memory alone for the rules, every layer for ours."""
    wrong = dict.fromkeys(NAMES, 0)
    missed = dict.fromkeys(NAMES, 0)
    count = {"leak": 0, "pass": 0}
    with (TRACES / "truth.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            series = tables.read(TRACES / row["file"]).series
            truth = row["truth"] == "leak"
            count[row["truth"]] += 1
            leak = {OURS: judge(series, settings_of()).verdict == "leak"}
            # A rule knows of no layers: it is right if it is right about any one of them.
            for name, rule in RULES.items():
                told = [rule(s.t, s.values) for s in series if len(s.t) > 20 and s.metric.layer in _RANK]
                leak[name] = any(told)
            for name in NAMES:
                wrong[name] += leak[name] and not truth
                missed[name] += truth and not leak[name]
    print(f"\n| real traces | false alarms of {count['pass']} | missed of {count['leak']} |\n| --- | ---: | ---: |")
    for name in NAMES:
        print(f"| {name} | {wrong[name]} | {missed[name]} |")


_RANK = ("anonymous", "fds", "threads")


def aging(folder: Path) -> None:
    """The study's runs of host memory: its finding (all grow), ours, and where the two part."""
    print(
        "\n| run of the study | hours | Mann–Kendall | used memory, ours | P(leak) | growth an hour | 95 % interval |"
    )
    print("| --- | ---: | --- | --- | ---: | ---: | --- |")
    for path in sorted(folder.glob("*monitoring*.csv.gz")):
        series = next(s for s in tables.read(path).series if s.name == "usedMemory")
        kendall = RULES["Mann–Kendall, raw"](series.t, series.values)
        found = Trend().judge(series, SETTINGS)
        low, high = found.rate_per_hour_ci95 or (np.nan, np.nan)
        print(f"| {path.name.partition('.')[0].replace('monitoring', ' ')} | {series.t[-1] / 3600:.0f} | "
              f"{'grows' if kendall else 'does not'} | {found.verdict} | {found.leak_probability:.2f} | "
              f"{(found.rate_per_hour or 0) / 1e6:.2f} MB | {low / 1e6:.2f} to {high / 1e6:.2f} MB |")  # fmt: skip
    print("\n| process, as the study ranks them | its growth rate |\n| --- | ---: |")
    for path in sorted(folder.glob("*author_growth_rate.csv")):
        with path.open(newline="") as file:
            for row in list(csv.DictReader(file))[:2]:
                print(f"| {path.name.partition('_')[0]}: {row['COMMAND']} | {float(row['GROWTH_RATE']):.1f} |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--series", type=int, default=10, help="traces of each family and length")
    parser.add_argument("--aging", type=Path, help="folder of the published study's traces")
    options = parser.parse_args()
    cases = chosen(options.series)
    with ProcessPoolExecutor() as pool:
        summary(cases, list(pool.map(of_case, cases, chunksize=8)))
        delays(pool, 2 * options.series)
    real()
    cost()
    growth_with_length()
    if options.aging:
        aging(options.aging)


if __name__ == "__main__":
    main()
