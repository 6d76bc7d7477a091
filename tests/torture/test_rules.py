"""The checker is able to fail: what is planted is seen, and what is as it should be is not."""

from __future__ import annotations

import pytest

from tests.torture import rules
from tests.torture.rules import Said, Told

BEFORE = Told("leak", False, {"leaks": "leak", "flat": "pass"}, 1000)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (Said(4, raised="ValueError: x"), "traceback"),
        (Said(1, err="Traceback (most recent call last):\n  File x"), "traceback"),
        (Said(1, out="Traceback (most recent call last):\n  File x"), "traceback"),
        (Said(4, err="soak: internal error: KeyError: 'x'; SOAK_TRACEBACK=1 shows the traceback"), "internal error"),
        (Said(2, err="soak: \x1b[31mred"), "control character"),
        (Said(0, out="a\x00b"), "control character"),
    ],
)
def test_what_no_command_may_say(said: Said, kind: str) -> None:
    (fault,) = rules.spoken(said)
    assert fault.startswith(kind)


def test_plain_words_are_fine() -> None:
    assert rules.spoken(Said(0, "verdict: pass\n\tno leak ä √\n", "")) == []


def test_an_error_is_one_line() -> None:
    assert rules.refused_in_one_line(Said(2, err="soak: c.toml: no such file\n")) == []
    assert rules.refused_in_one_line(Said(2, err="one\ntwo\n"))[0].startswith("several lines")
    assert rules.refused_in_one_line(Said(4))[0].startswith("no word")
    assert rules.refused_in_one_line(Said(0)) == []


@pytest.mark.parametrize("code", [-11, 5, 130, None])
def test_unknown_exit_codes_are_faults(code: int | None) -> None:
    assert rules.known_code(Said(code))


def test_a_verdict_may_be_lost_but_not_turned() -> None:
    assert rules.no_false_verdict(BEFORE, Told("inconclusive", trials={"flat": None, "other": "leak"})) == []
    assert len(rules.no_false_verdict(BEFORE, Told("pass", trials={"leaks": "pass", "flat": "leak"}))) == 3


def test_a_loss_must_be_said() -> None:
    less = Told("leak", False, {"leaks": "leak", "flat": "pass"}, 990)
    said = Told("leak", False, {"leaks": "leak", "flat": "pass"}, 990, ("10 of 1,000 rounds",))
    gone = Told("leak", False, {"leaks": "leak"}, 1000)
    assert rules.no_silent_loss(BEFORE, BEFORE, Said(1)) == []
    assert rules.no_silent_loss(BEFORE, said, Said(1)) == []
    assert rules.no_silent_loss(BEFORE, less, Said(1, err="soak: 10 rounds were lost")) == []
    assert rules.no_silent_loss(BEFORE, less, Said(1))[0].startswith("silent loss")
    assert rules.no_silent_loss(BEFORE, gone, Said(1))[0].startswith("silent loss")


@pytest.mark.parametrize(
    ("code", "verdict", "holds"),
    [(0, "pass", True), (1, "unstable", True), (3, "inconclusive", True), (4, "error", True), (4, None, True),
     (-15, None, True), (0, "leak", False), (1, None, False), (3, None, False), (0, None, False),
     (1, "pass", False)],
)  # fmt: skip
def test_codes_come_from_verdicts(code: int, verdict: str | None, holds: bool) -> None:
    assert (rules.code_of_verdict(code, verdict) == []) is holds


def test_planted_truths_are_not_contradicted() -> None:
    truths = {"leak": "leak", "flat": "pass"}
    assert rules.truth_kept({"leak": "inconclusive", "flat": "pass", "other": "leak"}, truths) == []
    assert rules.truth_kept({"leak": None}, truths) == []
    assert len(rules.truth_kept({"leak": "pass", "flat": "leak"}, truths)) == 2


def test_three_lost_seconds_are_seen() -> None:
    assert rules.little_lost({"a": 1.1}, 0.2, {}) == []
    assert rules.little_lost({"a": 3.0}, 0.2, {"a": 0.1})[0].startswith("samples lost: a")
    assert rules.little_lost({"a": 3.0}, 0.2, {"a": 2.9}) == [], "the machine was late, the kill took nothing"


def test_rounds_that_could_be_read_are_kept() -> None:
    assert rules.all_kept({0: 10, 1: 5}, {0: 10, 1: 6, 2: 1}) == []
    assert rules.all_kept({0: 10}, {0: 9})[0].startswith("samples lost: trial 0")
    assert rules.all_kept({0: 10}, {})


def test_gaps_are_seen() -> None:
    assert rules.no_gap([0.0, 0.2, 0.4], 0.2, 1.2) == []
    assert rules.no_gap([], 0.2, 1.2) == []
    assert rules.no_gap([0.0, 0.2, 3.4], 0.2, 1.2)[0].startswith("gap: 3.20 s")


def test_what_is_left_is_told() -> None:
    assert rules.nothing_left({}, [], []) == []
    kinds = [fault.partition(":")[0] for fault in rules.nothing_left({7: "sleep 9"}, ["/cg/soak-x-0"], ["/tmp/a"])]
    assert kinds == ["orphan", "cgroup left", "file left"]
