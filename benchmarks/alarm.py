"""The online alarm over 72 h: how often it is false, by family, and how late it is: `python -m benchmarks.alarm`.

Ever-alarm rates of every family that does not leak, all looks of a trial together; and for leaks of several speeds the
median delay, against the same judgement asked once, at the earliest time at which it finds half of them.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.corpus import DEVIATION, SETTINGS
from monitors.alarm_schedule import alarm_schedule
from monitors.detection.alarm import Alarm
from monitors.detection.detectors.trend import Trend
from monitors.detection.simulation import BENIGN, MEMORY, NOISES, bytes_of, draw

Job = tuple[str, str, float, int, float]
"""Family, noise, growth, seed, alpha."""
HORIZON = 72 * 3600.0
T = np.arange(0.0, HORIZON + 1, 15.0)
LEAKING = ("linear", "late onset", "after a warm-up", "stairs", "under a wave")
GROWTHS = (3.0, 6.0, 12.0, 40.0)


def watch(job: Job) -> float:
    """Share of the trial at which the alarm was raised; NaN where it never was."""
    family, noise, growth, seed, alpha = job
    series = bytes_of(draw(family, noise, T, growth, seed), DEVIATION)
    alarm = Alarm(MEMORY, HORIZON, alpha, SETTINGS)
    alarm.extend(series.t, series.values)
    return np.nan if alarm.raised is None else alarm.raised.t / HORIZON


def once(job: Job) -> list[bool]:
    """Whether the judgement finds it, asked once, at each of the looks."""
    family, noise, growth, seed, alpha = job
    series = bytes_of(draw(family, noise, T, growth, seed), DEVIATION)
    found = []
    for look in alarm_schedule():
        finding = Trend().judge(series.part(slice(0, int(np.searchsorted(T, HORIZON * look)) + 1)), SETTINGS)
        found.append(finding.verdict == "leak" and (finding.evidence or 0.0) >= -np.log(alpha))
    return found


def jobs(
    families: tuple[str, ...], growth: float, count: int, alpha: float
) -> list[tuple[str, str, float, int, float]]:
    """Trials of each family under every kind of noise in turn."""
    noises = list(NOISES)
    return [(f, noises[k % len(noises)], growth, k, alpha) for f in families for k in range(count)]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--series", type=int, default=28, help="trials of each family")
    parser.add_argument("--alpha", type=float, default=0.05)
    options = parser.parse_args()
    with ProcessPoolExecutor() as pool:
        print("| family that does not leak | ever an alarm | median time of it |\n| --- | ---: | ---: |")
        for family in BENIGN:
            raised = np.array(list(pool.map(watch, jobs((family,), 0.0, options.series, options.alpha), chunksize=4)))
            late = raised[~np.isnan(raised)]
            when = f"{np.median(late):.0%} of the trial" if len(late) else "–"
            print(f"| {family} | {len(late) / len(raised):.1%} | {when} |", flush=True)
        print("\n| leak | growth | found | median alarm | asked once | ratio |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        for family in LEAKING:
            for growth in GROWTHS:
                todo = jobs((family,), growth, options.series, options.alpha)
                raised = np.array(list(pool.map(watch, todo, chunksize=4)))
                power = np.mean(list(pool.map(once, todo, chunksize=4)), axis=0)
                fixed = next((t for t, p in zip(alarm_schedule(), power, strict=True) if p >= 0.5), np.nan)
                at = float(np.median(np.where(np.isnan(raised), np.inf, raised)))
                late = f"{at:.0%} | {fixed:.0%} | {at / fixed:.2f}" if np.isfinite(at) else f"– | {fixed:.0%} | –"
                print(f"| {family} | {growth:g} σ | {np.mean(~np.isnan(raised)):.0%} | {late} |", flush=True)
    n = 259_200
    alarm, values = Alarm(MEMORY, HORIZON), 3e8 + 1e5 * np.random.default_rng(0).normal(size=n)
    began = time.perf_counter()
    for k in range(20_000):
        alarm.add(float(k), float(values[k]))
    print(f"\n{(time.perf_counter() - began) / 20_000 * 1e6:.0f} µs a sample, one at a time, before the first look.")


if __name__ == "__main__":
    main()
