"""The same comparison twice: with other seeds and swapped sides, does it agree with itself?

Two draws of one truth, through `compare` and `hold`, as a person would ask: of the second the sides are swapped, and so
is the claim. What they are told of each other is put into one of three kinds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from benchmarks.comparison_truth import amounts, trials_of
from monitors.comparison.claims import hold
from monitors.comparison.measures import named
from monitors.comparison.model import Claim, Measured
from monitors.comparison.statistics import compare

Agreement = Literal["same", "one cannot tell", "alike and different", "contradiction"]
Sides = tuple[list[Measured], list[Measured]]
SIZES = (3, 10, 40)
"""Trials a side."""
LEAK, GROWTH, MEMORY = (named(name) for name in ("leak_probability", "growth_per_hour", "steady_memory"))
COMPARED = (LEAK, GROWTH, MEMORY)
MIB = 2.0**20
_MIRRORED = {"lower": "higher", "higher": "lower"}
_CONTRARY = ({"lower", "higher"}, {"supported", "refuted"})
_OPEN = "undecided"


@dataclass(frozen=True)
class ComparedTruth:
    """What is planted in two sides: shares of trials that leak, growth in MiB/h, memory of the first ÷ the second."""

    words: str
    leaks: tuple[float, float]
    growth: tuple[float, float]
    memory: float

    def draw(self, count: int, draw: np.random.Generator) -> Sides:
        """So many trials a side; equal places are pairs."""
        memory = amounts(self.memory, count, draw)
        held = (memory.first, memory.second)
        first, second = (
            _trials(trials_of(self.leaks[side], count, draw), draw.normal(self.growth[side], 1.0, count), held[side])
            for side in (0, 1)
        )
        return first, second


def _trials(leaks: np.ndarray, growth: np.ndarray, memory: np.ndarray) -> list[Measured]:
    return [
        Measured("g", str(i), {LEAK.name: float(p), GROWTH.name: MIB * float(g), MEMORY.name: float(m)},
                 {GROWTH.name: 0.5 * MIB})
        for i, (p, g, m) in enumerate(zip(leaks, growth, memory, strict=True))
    ]  # fmt: skip


TRUTHS = (
    ComparedTruth("nothing differs: 0.3 leak, 8 MiB/h", (0.3, 0.3), (8.0, 8.0), 1.0),
    ComparedTruth("a little: 0.1 against 0.3, 9 against 8, memory 3 % lower", (0.1, 0.3), (9.0, 8.0), 0.97),
    ComparedTruth("much: 0.1 against 0.9, 16 against 8, memory 20 % lower", (0.1, 0.9), (16.0, 8.0), 0.8),
)
_NONE = (8.0, 8.0)
CLAIMS = (
    (Claim("a", LEAK.name, 62, "lower", "b"), ComparedTruth("true by far: 0 against 0.9", (0.0, 0.9), _NONE, 1.0)),
    (Claim("a", LEAK.name, 62, "lower", "b"), ComparedTruth("just true: 0.19 against 0.5", (0.19, 0.5), _NONE, 1.0)),
    (Claim("a", LEAK.name, 62, "lower", "b"), ComparedTruth("false: 0.5 against 0.5", (0.5, 0.5), _NONE, 1.0)),
    (Claim("a", MEMORY.name, 20, "lower", "b"), ComparedTruth("true: 25 % lower", (0.3, 0.3), _NONE, 0.75)),
    (Claim("a", MEMORY.name, 20, "lower", "b"), ComparedTruth("just true: 20 % lower", (0.3, 0.3), _NONE, 0.8)),
    (Claim("a", MEMORY.name, 20, "lower", "b"), ComparedTruth("false: 15 % lower", (0.3, 0.3), _NONE, 0.85)),
)
"""Each with a truth that it is held against."""


def agreement(one: str, other: str) -> Agreement:
    """How two answers to one question stand to each other."""
    if one == other:
        return "same"
    if {one, other} in _CONTRARY:
        return "contradiction"
    return "one cannot tell" if _OPEN in (one, other) else "alike and different"


def compared_again(one: Sides, other: Sides) -> list[Agreement]:
    """Of every measure; other: a second draw, whose sides are swapped here."""
    first = compare(*one, COMPARED, ask_further=False)
    second = compare(other[1], other[0], COMPARED, ask_further=False)
    return [
        agreement(found.answer, _MIRRORED.get(again.answer, again.answer))
        for found, again in zip(first, second, strict=True)
    ]


def swapped(claim: Claim) -> Claim:
    """The same of the other side: what is 62 % lower than another is exceeded by that by 163 %."""
    times = 1 - claim.percent / 100 if claim.direction == "lower" else 1 + claim.percent / 100
    direction = _MIRRORED[claim.direction]
    percent = 100 * abs(1 / times - 1)
    return replace(claim, first=claim.second, second=claim.first, percent=percent, direction=direction)  # type: ignore[arg-type]


def held_again(claim: Claim, one: Sides, other: Sides) -> Agreement:
    """Of a claim; other: a second draw, of which it is asked with its sides swapped."""
    return agreement(hold(claim, *one).answer, hold(swapped(claim), other[1], other[0]).answer)


def again(runs: int) -> None:
    """How often two draws of the same truth contradict each other, of which the second has its sides swapped."""
    runs = max(1, runs // 4)
    print(f"\n| asked twice, {runs} times | trials a side | same answer | one cannot tell | alike and different | "
          "contradiction |\n| --- |" + " ---: |" * 5)  # fmt: skip
    for place, truth in enumerate(TRUTHS):
        _print(truth.words, (7, place), runs, lambda size, draw, truth=truth: compared_again(
            truth.draw(size, draw), truth.draw(size, draw)))  # fmt: skip
    for place, (claim, truth) in enumerate(CLAIMS):
        words = f"claim “{named(claim.measure).words} {claim.percent:g} % lower”, {truth.words}"
        _print(words, (8, place), runs, lambda size, draw, truth=truth, claim=claim: [held_again(
            claim, truth.draw(size, draw), truth.draw(size, draw))])  # fmt: skip


def _print(
    words: str, seed: tuple[int, int], runs: int, ask: Callable[[int, np.random.Generator], Sequence[Agreement]]
) -> None:
    """A row for each size. ask: both draws of one run, whose seeds are never the same."""
    for size in SIZES:
        draw = np.random.default_rng((*seed, size))
        counts = Counter(kind for _ in range(runs) for kind in ask(size, draw))
        kinds: tuple[Agreement, ...] = ("same", "one cannot tell", "alike and different", "contradiction")
        cells = " | ".join(f"{counts[kind]:,}" for kind in kinds)
        print(f"| {words} | {size} | {cells} |", flush=True)
