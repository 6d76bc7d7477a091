"""Compare simulated runs of known truth: how often intervals, answers and claims are right.

`python -m benchmarks.comparison` prints the tables of docs/comparison.md; `comparison_truth` says what is simulated.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import time
from collections.abc import Callable, Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.comparison_again import again
from benchmarks.comparison_truth import NOISE, amounts, measured, trials_of
from monitors.comparison.bounds import hold_bound, of_side
from monitors.comparison.claims import hold, parse
from monitors.comparison.means import Means, absolute, estimates, means, relative
from monitors.comparison.measures import MEASURES, named
from monitors.comparison.model import Bound, Claim, Estimate, Measure, Measured
from monitors.comparison.pairing import matched
from monitors.comparison.proportions import Proportion, Shares, proportion
from monitors.comparison.statistics import LEVEL, compare, compare_each

SIZES = (3, 5, 10, 20, 40)
"""Trials a side."""
CLAIMED = 0.38
"""62 % lower."""
SHARES = (0.1, 0.3, 0.5, 0.9)
GROUPS = 4
_UNTESTED = ("step_speed", "program_size", "time_to_exhaustion")
TESTED = tuple(m for m in MEASURES if m.name not in _UNTESTED and not m.name.startswith("gpu_"))
"""What `soak compare` tells of any trial: not what needs a GPU, a leak, or a file of claims."""


def holds(estimate: Estimate | None, truth: float) -> bool:
    """Whether an interval holds the truth."""
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low <= truth <= estimate.high


def _means(first: np.ndarray, second: np.ndarray, name: str, deviation: float = 0.0) -> Means:
    measure = named(name)
    return means(matched(measured(first, name, deviation), measured(second, name, deviation), measure), measure)


def amount_intervals(count: int, draw: np.random.Generator) -> Iterator[tuple[str, bool]]:
    """Of one simulated comparison of amounts: which interval, and whether it holds the truth."""
    ratio = float(np.exp(draw.uniform(-1, 1)))
    drawn = amounts(ratio, count, draw)
    of = _means(drawn.first, drawn.second, "steady_memory")
    yield "amount: relative difference", holds(relative(of), ratio - 1)
    yield "amount: difference", holds(absolute(of), (ratio - 1) * drawn.level)
    yield "amount: one side", holds(estimates(of)[0], ratio)


def change_intervals(count: int, draw: np.random.Generator) -> Iterator[tuple[str, bool]]:
    """Of growth, 10 and 8 on average, with an error of 0.5 within each trial."""
    for words, between in (("trials differ by twice their errors", 1.0), ("trials differ by their errors alone", 0.0)):
        first, second = (
            mean + draw.normal(0, between, count) + draw.normal(0, 0.5, count) for mean in (10.0, 8.0)
        )  # fmt: skip
        of = _means(first, second, "growth_per_hour", 0.5)
        yield f"change: difference, {words}", of.gap().beyond(2.0) > LEVEL
        yield f"change: relative difference, {words}", of.gap(1.25).beyond() > LEVEL


def proportion_intervals(count: int, draw: np.random.Generator) -> Iterator[tuple[str, bool]]:
    """Of leaks, with true proportions drawn from the prior."""
    shares = draw.beta(0.5, 0.5, 2)
    first, second = (proportion(trials_of(share, count, draw)) for share in shares)
    low, high = first.interval()
    yield "proportion: one side", low <= shares[0] <= high
    by_ratio, by_difference = (Shares(first, second, ratio) for ratio in (True, False))
    yield "proportion: difference", _between(by_difference.below(shares[0] - shares[1]))
    yield "proportion: relative difference", _between(by_ratio.below(float(np.log(shares[0] / shares[1]))))


def _between(below: float) -> bool:
    """Whether what lies above this share of a posterior lies within its 95 % interval."""
    return LEVEL / 2 <= below <= 1 - LEVEL / 2


def coverage(runs: int) -> None:
    """How often 95 % intervals hold the truth."""
    print(f"\n| 95 % interval, trials a side: | {' | '.join(map(str, SIZES))} |\n| --- |{' ---: |' * len(SIZES)}")
    for simulate in (amount_intervals, change_intervals, proportion_intervals):
        table: dict[str, list[str]] = {}
        for count in SIZES:
            draw = np.random.default_rng((1, count))
            seen: dict[str, list[bool]] = {}
            for _ in range(runs):
                for words, held in simulate(count, draw):
                    seen.setdefault(words, []).append(held)
            for words, held_ in seen.items():
                table.setdefault(words, []).append(f"{np.mean(held_):.1%}")
        for words, cells in table.items():
            print(f"| {words} | {' | '.join(cells)} |", flush=True)


def at_the_boundary(runs: int) -> None:
    """Claims of 62 % where the truth is 62 %: a hair less, and a claim that is supported is false."""
    print("\n| truth is exactly as claimed | trials a side | called supported | called refuted | interval holds it |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for share in SHARES:
        for count in SIZES:
            draw = np.random.default_rng((2, round(100 * share), count))
            rows = [_at_boundary(share, count, draw) for _ in range(runs)]
            cells = " | ".join(f"{np.mean(column):.1%}" for column in zip(*rows, strict=True))
            print(f"| {CLAIMED * share:.3g} against {share:g} leak | {count} | {cells} |", flush=True)
    claim = parse("a steady memory 20% lower than b")
    for count in SIZES:
        draw = np.random.default_rng((3, count))
        found = [_held_amounts(claim, 0.8, count, draw) for _ in range(runs)]
        cells = " | ".join(f"{np.mean([f == answer for f in found]):.1%}" for answer in ("supported", "refuted"))
        print(f"| memory 20 % lower | {count} | {cells} | |", flush=True)


def _at_boundary(share: float, count: int, draw: np.random.Generator) -> tuple[bool, bool, bool]:
    first, second = (proportion(trials_of(s, count, draw)) for s in (CLAIMED * share, share))
    gap, boundary = Shares(first, second, by_ratio=True), float(np.log(CLAIMED))
    return (
        gap.not_below(boundary) <= LEVEL / 2, gap.not_above(boundary) <= LEVEL / 2, _between(gap.below(boundary)),
    )  # fmt: skip


UNEQUAL = ((3, 3), (5, 5), (10, 10), (20, 20), (3, 20), (20, 3), (5, 40), (40, 5))
TRUTHS = np.linspace(0.01, 0.99, 50)
BOUNDS = np.linspace(0.005, 0.995, 199)
SHARE = 0.92
STRICT = LEVEL / 50
"""What Holm's method asks of the first of fifty comparisons."""


def exactly(_: int) -> None:
    """Trials of which each surely leaks or not, every outcome weighed: the most wrong answers that any truth gives."""
    print("\n| certain trials a side | true 62 % refuted | false 62 % supported | difference called where none is | "
          f"at {STRICT:g} |\n| --- |{' ---: |' * 4}")  # fmt: skip
    for first, second in UNEQUAL:
        sides = [[proportion((np.arange(n) < k).astype(float)) for k in range(n + 1)] for n in (first, second)]
        chances = [np.array([[_binomial(n, k, t) for k in range(n + 1)] for t in TRUTHS]) for n in (first, second)]
        below, above = _tails_of(sides, float(np.log(CLAIMED)))
        scaled = np.array([[_binomial(first, k, CLAIMED * t) for k in range(first + 1)] for t in TRUTHS])
        refuted, supported = (_most(scaled, chances[1], tail <= LEVEL / 2) for tail in (above, below))
        p = 2 * np.minimum(*_tails_of(sides, 0.0))
        called = [_most(chances[0], chances[1], p <= level) for level in (LEVEL, STRICT)]
        print(
            f"| {first} and {second} | {refuted:.1%} | {supported:.1%} | {called[0]:.1%} | {called[1]:.2%} |",
            flush=True,
        )


def bounds(_: int) -> None:
    """The same of claims of a figure, `at most N %` of one side, or of another, where that is just the truth."""
    print("\n| certain trials | true bound refuted | false bound supported | by Jeffreys alone: refuted | supported |\n"
          f"| --- |{' ---: |' * 4}")  # fmt: skip
    measure = named("leak_probability")
    for count in (1, *SIZES):
        sides = [measured((np.arange(count) < k).astype(float), measure.name) for k in range(count + 1)]
        rows = [_wrong_bounds(Bound("a", measure.name, "at most", float(share)), sides) for share in BOUNDS]
        print(f"| {count} | {' | '.join(f'{worst:.1%}' for worst in np.max(rows, axis=0))} |", flush=True)
    print("\n| certain trials a side | true 92 % of the other refuted | false 92 % of the other supported |")
    print("| --- | ---: | ---: |")
    for first, second in UNEQUAL:
        sides_of_both = [[proportion((np.arange(n) < k).astype(float)) for k in range(n + 1)] for n in (first, second)]
        scaled, plain = (
            np.array([[_binomial(n, k, times * t) for k in range(n + 1)] for t in TRUTHS])
            for n, times in ((first, SHARE), (second, 1.0))
        )
        below, above = _tails_of(sides_of_both, math.log(SHARE))
        refuted, supported = (_most(scaled, plain, tail <= LEVEL / 2) for tail in (above, below))
        print(f"| {first} and {second} | {refuted:.1%} | {supported:.1%} |", flush=True)


def _wrong_bounds(claim: Bound, sides: list[list[Measured]]) -> list[float]:
    """Of a bound that is the truth: how often it is refuted, and how often it would be supported a hair above it."""
    chances = np.array([_binomial(len(side), k, claim.value) for k, side in enumerate(sides)])
    found = np.array([hold_bound(claim, side).answer for side in sides])
    plain = np.array([_plainly(claim, side) for side in sides])
    return [float(chances[told == answer].sum()) for told in (found, plain) for answer in ("refuted", "supported")]


def _plainly(claim: Bound, side: list[Measured]) -> str:
    """By the interval of Jeffreys' prior alone."""
    known = of_side(named(claim.measure), side)
    assert known is not None
    low, high = known[0].low or 0.0, known[0].high or 0.0
    return "supported" if high <= claim.value else "refuted" if low > claim.value else "undecided"


def _binomial(count: int, k: int, share: float) -> float:
    return float(math.comb(count, k) * share**k * (1 - share) ** (count - k))


def _tails_of(sides: list[list[Proportion]], boundary: float) -> tuple[np.ndarray, np.ndarray]:
    gaps = [[Shares(a, b, by_ratio=True) for b in sides[1]] for a in sides[0]]
    return (
        np.array([[gap.not_below(boundary) for gap in row] for row in gaps]),
        np.array([[gap.not_above(boundary) for gap in row] for row in gaps]),
    )  # fmt: skip


def _most(first: np.ndarray, second: np.ndarray, chosen: np.ndarray) -> float:
    """The largest probability of a chosen outcome, over truths, by the probabilities of either side's outcomes."""
    return float(np.max(np.einsum("ti,ij,tj->t", first, chosen.astype(float), second)))


def _held_amounts(claim: Claim, ratio: float, count: int, draw: np.random.Generator) -> str:
    drawn = amounts(ratio, count, draw)
    of = _means(drawn.first, drawn.second, "steady_memory")
    boundary, gap = float(np.log(1 - claim.percent / 100)), of.gap()
    if gap.not_below(boundary) <= LEVEL / 2:
        return "supported"
    return "refuted" if gap.not_above(boundary) <= LEVEL / 2 else "undecided"


def nothing_different(count: int, draw: np.random.Generator) -> tuple[bool, bool, bool]:
    """Of one run without any difference: whether one was called, was so by corrected p, and by p as it is."""
    share = float(draw.choice((0.05, 0.2, 0.5, 0.9)))
    first, second = _nothing(share, count, draw)
    found = [one for one in compare(first, second, TESTED, ask_further=False) if one.p is not None]
    assert len(found) == len(TESTED) * (GROUPS + 1)
    called = any(one.answer in ("lower", "higher") for one in found)
    corrected, plain = ([getattr(one, name) for one in found] for name in ("adjusted_p", "p"))
    return called, min(corrected) <= LEVEL, min(plain) <= LEVEL


def _nothing(share: float, count: int, draw: np.random.Generator) -> tuple[list[Measured], list[Measured]]:
    """Both sides, of which each trial tells all that is tested."""
    sides: tuple[list[Measured], list[Measured]] = ([], [])
    errors = {measure.name: 0.5 * _unit(measure) for measure in TESTED if measure.kind == "change"}
    for group in map(str, range(GROUPS)):
        drawn = {measure.name: _drawn(measure, share, count, draw) for measure in TESTED}
        for side, trials in enumerate(sides):
            for n in range(count):
                values = {name: float(both[side][n]) for name, both in drawn.items()}
                trials.append(Measured(group, str(n), values, errors))
    return sides


def _drawn(measure: Measure, share: float, count: int, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    if measure.kind == "proportion":
        return trials_of(share, count, draw), trials_of(share, count, draw)
    if measure.kind == "change":
        return _unit(measure) * draw.normal(8, 1.1, count), _unit(measure) * draw.normal(8, 1.1, count)
    drawn = amounts(1.0, count, draw)
    return drawn.first, drawn.second


def _unit(measure: Measure) -> float:
    """So much that growth is not alike because all of it is too slow to count."""
    return max(measure.nothing, 1.0)


def family(runs: int) -> None:
    """How often `compare` calls any difference among ten measures, of four groups and of all, where there is none."""
    print(f"\n| no difference, {len(TESTED)} measures, {GROUPS} groups and all | any called | any corrected p ≤ 0.05 | "
          "any p ≤ 0.05 |\n| --- | ---: | ---: | ---: |")  # fmt: skip
    for count in SIZES[:4]:
        draw = np.random.default_rng((4, count))
        rows = [nothing_different(count, draw) for _ in range(max(1, runs // 4))]
        cells = " | ".join(f"{np.mean(column):.1%}" for column in zip(*rows, strict=True))
        print(f"| {count} trials a side and group | {cells} |", flush=True)


def power(runs: int) -> None:
    """How often a truth is found."""
    print(f"\n| found, trials a side: | {' | '.join(map(str, SIZES))} |\n| --- |{' ---: |' * len(SIZES)}")
    claim = parse("a 62% lower than b")

    def leaks(first: float, second: float) -> Callable[[int, np.random.Generator], bool]:
        def found(count: int, draw: np.random.Generator) -> bool:
            gap = Shares(*(proportion(trials_of(s, count, draw)) for s in (first, second)), by_ratio=True)
            return gap.not_below(float(np.log(1 - claim.percent / 100))) <= LEVEL / 2

        return found

    def memory(ratio: float) -> Callable[[int, np.random.Generator], bool]:
        def found(count: int, draw: np.random.Generator) -> bool:
            drawn = amounts(ratio, count, draw)
            return _means(drawn.first, drawn.second, "steady_memory").gap().beyond() <= LEVEL

        return found

    for words, simulate in (
        ("none leaks against all, claim of 62 %", leaks(0.0, 1.0)),
        ("0.1 leak against 0.9, claim of 62 %", leaks(0.1, 0.9)),
        ("0.05 leak against 0.5, claim of 62 %", leaks(0.05, 0.5)),
        ("memory 10 % lower", memory(0.9)),
        ("memory 3 % lower", memory(0.97)),
    ):
        cells = []
        for count in SIZES:
            draw = np.random.default_rng((5, count))
            cells.append(f"{np.mean([simulate(count, draw) for _ in range(runs)]):.1%}")
        print(f"| {words} | {' | '.join(cells)} |", flush=True)


def through_the_doors(runs: int) -> None:
    """That `compare` and `hold` say what the parts above say: the same runs through their public doors."""
    claim, measure, different = parse("a 62% lower than b"), named("leak_probability"), 0
    runs = max(1, runs // 20)
    draw = np.random.default_rng(6)
    for _ in range(runs):
        first, second = (trials_of(s, 10, draw) for s in (0.1, 0.6))
        sides = measured(first, measure.name), measured(second, measure.name)
        gap = Shares(proportion(first), proportion(second), by_ratio=True)
        boundary = float(np.log(CLAIMED))
        low, high = gap.interval()
        found = compare(*sides, [measure], ask_further=False)[0]
        supported = hold(claim, *sides).answer == "supported"
        different += supported is not (gap.not_below(boundary) <= LEVEL / 2)
        different += (low <= boundary <= high) is not _between(gap.below(boundary))
        different += (found.answer in ("lower", "higher")) is not ((found.p or 0.0) <= LEVEL)
    print(f"\n{different} of {runs} simulated runs were told otherwise by `compare` and `hold`.")


PLANTED = (0.05, 0.1)
"""Differences of logarithms, of trials that vary by `NOISE`."""


def enough(runs: int) -> None:
    """Of trials that are just like a planted truth: how often as many in all as are told settle it, drawn anew."""
    print("\n| pairs that there are, difference | among | told to settle it | settled with so many more |")
    print("| --- | ---: | ---: | ---: |")
    draw, measure = np.random.default_rng(7), named("steady_memory")
    for count, gap, among in itertools.product(SIZES[:3], PLANTED, (1, 10)):
        further = _told_further(count, gap, among, measure)
        if further is None:
            continue
        found = [_amount_p(gap, count + further, draw) <= LEVEL / among for _ in range(runs)]
        words = f"{count}, {math.expm1(gap):.1%}"
        print(f"| {words} | {among} | {further} more | {np.mean(found):.1%} |", flush=True)


def _told_further(count: int, gap: float, among: int, measure: Measure) -> int | None:
    """Of pairs whose differences have just the planted mean and deviation, beside pairs without any difference."""
    shape = np.linspace(-1, 1, count)
    noise = shape / float(np.std(shape, ddof=1)) * NOISE * math.sqrt(2)
    ones = measured(np.ones(count), measure.name)
    pairs = [(measured(np.exp(gap + noise), measure.name), ones), *([(ones, ones)] * (among - 1))]
    return compare_each(pairs, [measure])[0][0].further


def _amount_p(gap: float, count: int, draw: np.random.Generator) -> float:
    drawn = amounts(math.exp(gap), count, draw)
    return _means(drawn.first, drawn.second, "steady_memory").gap().beyond()


PARTS = {
    "coverage": coverage,
    "claims": at_the_boundary,
    "exact": exactly,
    "bounds": bounds,
    "family": family,
    "power": power,
    "enough": enough,
    "doors": through_the_doors,
    "again": again,
}


def main() -> None:
    """Print the tables that are asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=(*PARTS, []), help="all, if none is named")
    parser.add_argument("--runs", type=int, default=2000, help="simulated comparisons of each cell")
    given = parser.parse_args()
    runs, started = given.runs, time.process_time()
    for name in given.parts or PARTS:
        PARTS[name](runs)
    print(f"\n{runs} simulated comparisons of each cell, a quarter as many of each family, and of what is asked twice; "
          f"{time.process_time() - started:.0f} s of one core.")  # fmt: skip


if __name__ == "__main__":
    main()
