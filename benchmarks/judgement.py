"""How often the judgement is right, by family of simulated series: `python benchmarks/judgement.py [--series 100]`.

Prints, for trials of two lengths, the share judged leak, pass and inconclusive; whether the smallest leak that a series
is said to show is really found; how often the interval of a rate holds the truth; and what a series costs to judge.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from monitors.detection import JudgeSettings
from monitors.detectors.trend import Trend
from monitors.model import Finding
from monitors.series import Series
from monitors.simulation import BENIGN, LEAKS, simulate

TIMES = {"45 s at 4 Hz": (180, 0.25), "72 h, 5760 samples": (5760, 45.0)}
GROWTHS = (6.0, 12.0, 30.0)
NOISE = 2.0**20
SETTINGS = JudgeSettings(min_rate_bytes_per_hour=16384.0)
"""Lower than the default, so that in 72 h it is the noise that decides."""


def judge(series: Series) -> Finding:
    """What is found in one series."""
    return Trend().judge(series, SETTINGS)


def one(job: tuple[str, str, float, int]) -> tuple[str, float, float]:
    """Verdict, rate over truth, and 1 where the interval holds the truth (0 where not, NaN without a truth)."""
    length, family, growth, seed = job
    n, spacing = TIMES[length]
    t = np.arange(n) * spacing
    generator = np.random.default_rng([seed, *map(ord, family)])
    values = LEAKS[family](generator, t, growth) if growth else BENIGN[family](generator, t)
    found = judge(simulate(values, t, NOISE))
    if not growth or found.verdict != "leak" or found.rate_per_hour is None or family in ("late onset", "accelerating"):
        return found.verdict, np.nan, np.nan
    true = growth * NOISE / (t[-1] - t[0]) * 3600
    low, high = found.rate_per_hour_ci95 or (0.0, 0.0)
    return found.verdict, found.rate_per_hour / true, float(low <= true <= high)


def limit_is_honest(seed: int) -> str:
    """Plant the leak that a calm series says it would have shown into another of the same kind; the verdict."""
    t = np.arange(180) * 0.25
    calm = judge(simulate(np.random.default_rng(seed).normal(size=180), t, NOISE))
    limit = calm.minimum_detectable_rate_per_hour or np.inf
    growth = limit / 3600 * (t[-1] - t[0]) / NOISE
    noise = np.random.default_rng(10_000 + seed).normal(size=180)
    return judge(simulate(noise + growth * t / t[-1], t, NOISE)).verdict


def table(pool: ProcessPoolExecutor, length: str, count: int) -> None:
    """One length of trial."""
    print(f"\n| {length} | growth / noise | leak | pass | inconclusive | rate / truth | interval holds |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    rows = [(family, 0.0) for family in BENIGN] + [(family, g) for family in LEAKS for g in GROWTHS]
    for family, growth in rows:
        results = list(pool.map(one, [(length, family, growth, seed) for seed in range(count)], chunksize=10))
        verdicts = Counter(verdict for verdict, _, _ in results)
        shares = " | ".join(f"{verdicts[v] / count:.0%}" for v in ("leak", "pass", "inconclusive"))
        ratios = [ratio for _, ratio, _ in results if not np.isnan(ratio)]
        held = [h for _, _, h in results if not np.isnan(h)]
        rest = f"{np.median(ratios):.2f} | {np.mean(held):.0%}" if ratios else "| "
        print(f"| {family} | {f'{growth:g}' if growth else '–'} | {shares} | {rest} |", flush=True)


def cost(sizes: Iterable[int]) -> None:
    """Time to judge one series."""
    print("\n| samples | to judge one series |\n| ---: | ---: |")
    for n in sizes:
        t = np.arange(float(n))
        series = simulate(np.random.default_rng(0).normal(size=n), t)
        judge(series)
        began = time.perf_counter()
        judge(series)
        print(f"| {n:,} | {(time.perf_counter() - began) * 1e3:.0f} ms |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--series", type=int, default=100, help="of each family")
    options = parser.parse_args()
    with ProcessPoolExecutor() as pool:
        for length in TIMES:
            table(pool, length, options.series)
        verdicts = Counter(pool.map(limit_is_honest, range(options.series), chunksize=10))
    print(f"\nPlanted at the smallest leak said to be seen: {verdicts['leak'] / options.series:.0%} found.")
    cost((200, 10_000, 259_200))


if __name__ == "__main__":
    main()
