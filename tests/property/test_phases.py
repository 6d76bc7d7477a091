"""Doses vary on purpose: in phases that any trial has several of, within what the config allows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.lengths import Lengths
from workloads.novelty import Novel, Options
from workloads.phases import EVEN, FEW, MANY, Phases, Turns
from workloads.protocol.contract import Clip

seeds = st.integers(0, 2**63)
lanes = st.integers(0, 200)
CLIP = Clip(np.zeros((2, 2, 2, 3), np.uint8), 0, False)


def lengths(kind: str, known: tuple[int, ...], seed: int, count: int, *, vary: bool, every: int = 3) -> list[int]:
    one = Lengths(kind, known, every, seed, 7, vary)
    return [one.next(index)[0] for index in range(count)]


@given(seeds, lanes, st.integers(200, 20_000))
def test_whatever_a_trial_lasts_its_last_two_thirds_have_several_phases(seed: int, lane: int, items: int) -> None:
    phases = Phases(seed, lane)
    seen = [phases.at(index) for index in range(items)]
    late = [kind for kind, _ in itertools.groupby(seen[items // 3 :])]
    assert 6 <= len(late) <= 14
    assert len(set(late)) >= 2
    assert all(a != b for a, b in itertools.pairwise(late))


@given(seeds, st.lists(st.integers(2, 500), min_size=1, max_size=6).map(tuple), st.integers(1, 400))
def test_lengths_are_those_of_the_config_and_the_same_again(seed: int, known: tuple[int, ...], count: int) -> None:
    varied = lengths("set", known, seed, count, vary=True)
    assert set(varied) <= set(known)
    assert varied == lengths("set", known, seed, count, vary=True)


@given(seeds)
def test_steps_and_frames_part_by_more_than_chance_would(seed: int) -> None:
    """Their ratio over the quarters of a trial differs; drawn evenly it hardly does."""

    def spread(vary: bool) -> float:
        parts = np.array(lengths("set", (8, 12, 16, 24), seed, 8000, vary=vary)).reshape(16, -1).mean(axis=1)
        return float(parts.max() / parts.min())

    assert spread(True) > 1.25 > spread(False)


def test_every_phase_has_every_length() -> None:
    """So that no phase brings a high-water mark of memory that those before it did not have."""
    one, phases = Lengths("set", (8, 12, 16, 24), 1, 5, 7, True), Phases(5, 7)
    seen: dict[int, set[int]] = {FEW: set(), EVEN: set(), MANY: set()}
    for index in range(4000):
        seen[phases.at(index)].add(one.next(index)[0])
    assert all(found == {8, 12, 16, 24} for found in seen.values())


@given(seeds, st.integers(1, 9))
def test_new_lengths_come_no_more_often_than_asked_and_never_again(seed: int, every: int) -> None:
    one = Lengths("new", (16,), every, seed, 7, True)
    fresh = [index for index in range(3000) if one.next(index)[1]]
    waits = np.diff(fresh)
    assert waits.min() >= every
    assert waits.max() <= 4 * every
    assert len(set(waits)) > 1, "else new shapes and steps would rise together"
    assert one.fresh == len(fresh)


@given(seeds, st.integers(1, 9), st.integers(1, 300))
def test_without_phases_new_ones_come_like_a_clock(seed: int, every: int, count: int) -> None:
    turns = Turns(every, None)
    assert [turns.due(index) for index in range(count)] == [i % every == every - 1 for i in range(count)]


@pytest.mark.parametrize(("every", "least", "most"), [(1, 600, 600), (2, 75, 301)])
def test_a_zoo_workload_brings_new_things_in_phases(every: int, least: int, most: int) -> None:
    class Brings(Novel):
        def once(self, novelty: int) -> float:
            brought.append(novelty)
            return 0.0

    brought: list[int] = []
    zoo = Brings(Options(every=every))
    for _ in range(600):
        zoo.step(CLIP)
    assert brought[0] == 0
    assert sorted(set(brought)) == list(range(len(set(brought)))), "each is new once, none is left out"
    assert zoo.counters() == {"novelties": float(len(set(brought)))}
    assert least <= len(set(brought)) <= most


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(1, 40))
def test_a_bounded_zoo_workload_stays_bounded(every: int, distinct: int) -> None:
    class Brings(Novel):
        def once(self, novelty: int) -> float:
            brought.add(novelty)
            return 0.0

    brought: set[int] = set()
    zoo = Brings(Options(distinct=distinct, every=every))
    for _ in range(100):
        zoo.step(CLIP)
    assert brought <= set(range(distinct))
    assert zoo.counters() == {"novelties": float(len(brought))}
