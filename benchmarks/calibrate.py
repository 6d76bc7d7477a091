"""Fit the calibration and show how well it holds on families it was not fitted on: `python -m benchmarks.calibrate`.

Simulates the corpus (`benchmarks/corpus.py`), fits with each family left out in turn, and prints what the left-out
families show: false alarms and recall by family, Brier score, calibration error, reliability, how often the interval
holds the rate, and how often a leak at the limit of detection is found. --write fits on all and ships the result:
`monitors/detection/calibration.json`, and the plot `docs/reliability.svg`.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

# One process for each core: threads of the linear algebra would only get in their way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.corpus import DEVIATION, LENGTHS, SETTINGS, Case, cases
from benchmarks.fitted import BREVITY, SOFTNESS, Judged, fit, judge, left_out, weights
from monitors.detection import calibration
from monitors.detection.calibration import FILE, SCHEMA
from monitors.detection.detectors.trend import Trend
from monitors.detection.simulation import NOISES, bytes_of, draw

LEAK_FROM, PASS_TO = 0.92, 0.3
"""Verdicts. From 0.92 on, 98 of 100 verdicts `leak` are right, of families left out."""
IN_DOUBT = 6.0
"""Noise deviations of growth up to which a leak can be in doubt: among these and what does not leak, the probability is
shown apart."""
SPREAD = 0.0005
"""Share of the corpus that may lie beyond either end of what counts as seen."""
WIDENED = 1.25
LEAST_WIDENING = 1.09
"""What the intervals of fresh traces (`--first-seed 50000`) ask for; the few that are fitted on may ask for less."""
STRONG = 6.0
"""Noise deviations of growth from which recall is asked for."""


def share(values: Iterable[bool]) -> str:
    """Per cent."""
    listed = list(values)
    return f"{np.mean(listed):.1%}" if listed else "–"


def by_family(judged: Sequence[Judged], p: np.ndarray) -> None:
    """False alarms of what is benign, recall of what leaks."""
    groups: dict[tuple[bool, str], list[tuple[float, float]]] = defaultdict(list)
    passed: dict[str, list[bool]] = defaultdict(list)
    for one, value in zip(judged, p, strict=True):
        groups[one.leaks, one.case.family].append((one.case.growth, value))
        passed[one.case.family].append(one.found.verdict == "pass")
    print("\n| family that does not leak, left out | leak | pass |\n| --- | ---: | ---: |")
    for (leaks, family), rows in groups.items():
        if not leaks:
            print(f"| {family} | {share(value >= LEAK_FROM for _, value in rows)} | {share(passed[family])} |")
    growths = sorted({one.case.growth for one in judged if one.leaks})
    print(f"\n| family that leaks, left out: found at | {' | '.join(f'{g:g} σ' for g in growths)} |")
    print(f"| --- |{' ---: |' * len(growths)}")
    for (leaks, family), rows in groups.items():
        if leaks:
            cells = [share(v >= LEAK_FROM for g, v in rows if g == growth) for growth in growths]
            print(f"| {family} | {' | '.join(cells)} |")


def by_condition(judged: Sequence[Judged], p: np.ndarray, name: str, key: Callable[[Judged], str]) -> None:
    """Precision, recall, F1 and Brier score by a condition of the trace."""
    groups: dict[str, list[int]] = defaultdict(list)
    for i, one in enumerate(judged):
        groups[key(one)].append(i)
        groups["all"].append(i)
    print(f"\n| {name} | traces | precision, ≥ {STRONG:g} σ | recall, ≥ {STRONG:g} σ | F1, < {STRONG:g} σ | Brier "
          f"| calibration error | ≤ {IN_DOUBT:g} σ |\n| --- |{' ---: |' * 7}")  # fmt: skip
    for group, members in groups.items():
        own = [judged[i] for i in members]
        values = p[members]
        strong = precision_recall(own, values, lambda one: not one.leaks or one.case.growth >= STRONG)
        weak = precision_recall(own, values, lambda one: not one.leaks or one.case.growth < STRONG)
        f1 = 2 * weak[0] * weak[1] / max(sum(weak), 1e-9)
        brier = weighted(own, (values - np.array([one.leaks for one in own])) ** 2)
        print(f"| {group} | {len(own)} | {strong[0]:.3f} | {strong[1]:.3f} | {f1:.3f} | {brier:.3f} | "
              f"{calibration_error(own, values):.3f} | {calibration_error(own, values, IN_DOUBT):.3f} |")  # fmt: skip


def recall_by_noise_and_length(judged: Sequence[Judged], p: np.ndarray) -> None:
    """Where strong leaks are missed: the share found of those of at least `STRONG`."""
    print(f"\n| leaks of {STRONG:g} σ and more, found | {' | '.join(LENGTHS)} |\n| --- |{' ---: |' * len(LENGTHS)}")
    for noise in NOISES:
        cells = [
            share(
                value >= LEAK_FROM
                for one, value in zip(judged, p, strict=True)
                if (one.case.noise, one.case.length) == (noise, length) and one.case.growth >= STRONG
            )
            for length in LENGTHS
        ]
        print(f"| {noise} | {' | '.join(cells)} |")


def precision_recall(judged: Sequence[Judged], p: np.ndarray, chosen: Callable[[Judged], bool]) -> tuple[float, float]:
    """Of the verdict `leak`, classes as they come."""
    said = [(one.leaks, value >= LEAK_FROM) for one, value in zip(judged, p, strict=True) if chosen(one)]
    hits = sum(leaks and found for leaks, found in said)
    return hits / max(1, sum(found for _, found in said)), hits / max(1, sum(leaks for leaks, _ in said))


def weighted(judged: Sequence[Judged], values: np.ndarray) -> float:
    """Mean with those weights."""
    w = weights(judged)
    return float(w @ values / w.sum())


def reliability(judged: Sequence[Judged], p: np.ndarray, most: float = np.inf) -> list[tuple[float, float, float, int]]:
    """Of each tenth of probability: mean of what was said, share that leaks, weight, traces.

    most: deviations of growth; what leaks by more is left out.
    """
    w, leaks = weights(judged, most), np.array([one.leaks for one in judged])
    out = []
    for tenth in range(10):
        own = (w > 0) & (p >= tenth / 10) & ((p < (tenth + 1) / 10) | (tenth == 9))
        if own.any():
            out.append((float(w[own] @ p[own] / w[own].sum()), float(w[own] @ leaks[own] / w[own].sum()),
                        float(w[own].sum()), int(own.sum())))  # fmt: skip
    return out


def calibration_error(judged: Sequence[Judged], p: np.ndarray, most: float = np.inf) -> float:
    """Expected calibration error over tenths."""
    rows = reliability(judged, p, most)
    return sum(weight * abs(said - true) for said, true, weight, _ in rows) / sum(row[2] for row in rows)


def show_reliability(judged: Sequence[Judged], p: np.ndarray) -> None:
    """The reliability tables: with the leaks that can be in doubt, and with all."""
    for most, which in ((IN_DOUBT, f"leaks, of {IN_DOUBT:g} σ at most"), (np.inf, "leaks, of any size")):
        print(f"\n| said | {which} | traces |\n| ---: | ---: | ---: |")
        for said, true, _, count in reliability(judged, p, most):
            print(f"| {said:.3f} | {true:.3f} | {count} |")


def needed(one: Judged) -> float:
    """How many times as wide as it comes out of the models an interval must be to hold the true rate."""
    said, interval = one.found.rate_per_hour, one.found.rate_per_hour_ci95
    assert said is not None
    assert interval is not None
    off = one.rate * DEVIATION * 3600 / one.case.span - said
    reach = interval[1] - said if off > 0 else said - interval[0]
    return calibration.load().widening * abs(off) / max(reach, 1e-300)


def widening(needs: Sequence[float]) -> float:
    """What makes an interval of 95 % hold the rate so often."""
    return max(LEAST_WIDENING, round(float(np.quantile(needs, SETTINGS.confidence)), 2))


def rates(judged: Sequence[Judged], p: np.ndarray) -> None:
    """Whether the interval, widened as the other families ask for, holds the true rate, and how far off the rate is."""
    groups: dict[str, list[Judged]] = defaultdict(list)
    for one, value in zip(judged, p, strict=True):
        if one.leaks and value >= LEAK_FROM:
            groups[one.case.family].append(one)
    needs = {family: [needed(one) for one in own] for family, own in groups.items()}
    rows: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for family, own in groups.items():
        wide = widening([need for other, each in needs.items() if other != family for need in each])
        for one, need in zip(own, needs[family], strict=True):
            true = one.rate * DEVIATION * 3600 / one.case.span
            row = need <= wide, abs((one.found.rate_per_hour or 0.0) / true - 1)
            rows[family].append(row)
            rows["all"].append(row)
    print("\n| leaks found | interval holds the rate | median error of the rate |\n| --- | ---: | ---: |")
    for family, each in rows.items():
        print(f"| {family} | {share(held for held, _ in each)} | {np.median([e for _, e in each]):.1%} |")


def at_limit(job: tuple[Case, int]) -> tuple[float, bool] | None:
    """Plant the smallest leak that a benign trace says it would have shown into it, under new noise; was it found?"""
    case, seed = job
    limit = judge(case).found.minimum_detectable_rate_per_hour
    if limit is None:
        return None
    trace = draw(case.family, case.noise, case.t, 0.0, case.seed, noise_seed=50_000 + seed)
    calm = bytes_of(trace, DEVIATION)
    found = Trend().judge(calm.raised(limit / 3600 * (calm.t - calm.t[0])), SETTINGS)
    return limit, found.verdict == "leak"


def show_limit(pool: ProcessPoolExecutor, chosen: Sequence[Case]) -> None:
    """How honest the limit of detection is."""
    groups: dict[str, list[bool]] = defaultdict(list)
    jobs = [(case, 0) for case in chosen if case.growth == 0]
    for (case, _), result in zip(jobs, pool.map(at_limit, jobs, chunksize=8), strict=True):
        if result is not None:
            groups[case.family].append(result[1])
            groups["all"].append(result[1])
    print("\n| leak at the limit of detection, planted into | found |\n| --- | ---: |")
    for family, rows in groups.items():
        print(f"| {family} | {share(rows)} |")


def shipped(judged: Sequence[Judged], p: np.ndarray, options: str) -> dict[str, object]:
    """The calibration fitted on all, as it is written; its interval on the leaks that are found."""
    slope, intercept = fit(judged)
    return {
        "schema": SCHEMA,
        "fitted_by": f"python -m benchmarks.calibrate --write {options}",
        "fitted_on": f"{len(judged)} simulated traces of {len({one.case.family for one in judged})} families",
        "slope": round(slope, 4),
        "intercept": round(intercept, 4),
        "brevity": BREVITY,
        "softness": SOFTNESS,
        "widening": widening([needed(j) for j, q in zip(judged, p, strict=True) if j.leaks and q >= LEAK_FROM]),
        "leak_from": LEAK_FROM,
        "pass_to": PASS_TO,
        "seen": seen(judged),
    }


def seen(judged: Sequence[Judged]) -> dict[str, list[float]]:
    """The lowest and highest of each trait; what an earlier fit has seen stays seen."""
    out = {}
    for name, before in calibration.load().seen.items():
        values = np.array([one.found.traits[name] for one in judged])
        ends = np.quantile(values, (0, 1)) if name == "blocks" else WIDENED * np.quantile(values, (SPREAD, 1 - SPREAD))
        low, high = ends.round(3).tolist()
        out[name] = [min(low, before[0]), max(high, before[1])]
    return out


def plot(rows: Sequence[tuple[float, float, float, int]]) -> str:
    """The reliability diagram as SVG: said against true, the area of a dot its share of the traces."""
    side, edge = 320, 40
    dots = "".join(
        f'<circle cx="{edge + side * said:.1f}" cy="{edge + side * (1 - true):.1f}" r="{3 + 12 * weight**0.5:.1f}" '
        f'fill="#2a6fb0" fill-opacity=".7"><title>said {said:.2f}, true {true:.2f}, {count} traces</title></circle>'
        for said, true, weight, count in rows
    )
    ticks = "".join(
        f'<text x="{edge + side * k / 5:.0f}" y="{edge + side + 18}" text-anchor="middle">{k / 5:g}</text>'
        f'<text x="{edge - 8}" y="{edge + side * (1 - k / 5) + 4:.0f}" text-anchor="end">{k / 5:g}</text>'
        for k in range(6)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side + 2 * edge} {side + 2 * edge}" width="400" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        f'<rect x="{edge}" y="{edge}" width="{side}" height="{side}" fill="none" stroke="#999"/>'
        f'<path d="M{edge} {edge + side}L{edge + side} {edge}" stroke="#999" stroke-dasharray="4 4"/>{dots}{ticks}'
        f'<text x="{edge + side / 2}" y="{2 * edge + side - 6}" text-anchor="middle">leak probability said</text>'
        f'<text x="{edge}" y="{edge - 12}">share that leaks, families left out of the fit</text></svg>\n'
    )


def main() -> None:
    """Print the tables; with --write, ship the calibration."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--series", type=int, default=24, help="traces of each family and length")
    parser.add_argument("--first-seed", type=int, default=0, help="another, such as 50000, draws other traces")
    parser.add_argument("--workers", type=int, help="processes; one for each core where it is not given")
    parser.add_argument("--write", action="store_true", help="write the calibration and its plot")
    options = parser.parse_args()
    drawn = f"--series {options.series} --first-seed {options.first_seed}"
    chosen = list(cases(options.series, options.first_seed))
    with ProcessPoolExecutor(options.workers) as pool:
        judged = list(pool.map(judge, chosen, chunksize=16))
        p = left_out(judged)
        by_family(judged, p)
        by_condition(judged, p, "length", lambda one: one.case.length)
        by_condition(judged, p, "noise", lambda one: one.case.noise)
        recall_by_noise_and_length(judged, p)
        show_reliability(judged, p)
        rates(judged, p)
        if options.write:
            FILE.write_text(json.dumps(shipped(judged, p, drawn), indent=2) + "\n", encoding="utf-8")
            Path("docs/reliability.svg").write_text(plot(reliability(judged, p)), encoding="utf-8")
        show_limit(pool, chosen[:: max(1, len(chosen) // 3000)])


if __name__ == "__main__":
    main()
