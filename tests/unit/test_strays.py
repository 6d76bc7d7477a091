"""Whose is a process that left the tree of its trial, and what follows where nobody knows."""

from __future__ import annotations

from soak.engine.custody import Custody
from soak.engine.strays import Strays, owners
from soak.judge.verdict import UNSEEN

RUNNING = {0: "7.1.9.0", 1: "7.1.9.1"}


def test_a_mark_tells_whose_it_is() -> None:
    assert owners(b"7.1.9.1", RUNNING) == {1}


def test_without_a_mark_of_theirs_it_may_be_of_any_that_run() -> None:
    assert owners(None, RUNNING) == {0, 1}
    assert owners(b"7.1.9.11", RUNNING) == {0, 1}
    assert owners(None, {1: "7.1.9.1"}) == {1}
    assert owners(None, {}) == frozenset()


def custody(seen: dict[int, frozenset[int]], bare: set[int]) -> tuple[Custody, list[tuple[int, str, str]]]:
    """As it stands after a look, without a guardian."""
    told: list[tuple[int, str, str]] = []
    made = object.__new__(Custody)
    made._strays = object.__new__(Strays)
    made._strays.seen, made._bare, made._unseen = seen, bare, set()
    made._record_event = lambda trial, kind, said: told.append((trial, kind, said))
    return made, told


def test_what_is_of_one_trial_is_sampled_with_it() -> None:
    made, told = custody({50: frozenset({0}), 51: frozenset({1}), 52: frozenset({2})}, {0, 1})
    made._record_unseen()
    assert not told
    assert made.strays_of(0) == {50}
    assert made.strays_of(1) == {51}
    # Its cgroup tells them already.
    assert made.strays_of(2) == frozenset()


def test_what_may_be_of_several_is_told_to_each_once() -> None:
    made, told = custody({50: frozenset({0, 1, 2}), 51: frozenset({0, 1})}, {0, 1})
    made._record_unseen()
    made._record_unseen()
    assert sorted((trial, kind) for trial, kind, _ in told) == [(0, UNSEEN), (1, UNSEEN)]
    assert made.strays_of(0) == made.strays_of(1) == frozenset()
