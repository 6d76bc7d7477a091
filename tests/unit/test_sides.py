"""Two frameworks side by side are one answer."""

from __future__ import annotations

from typing import Any

import pytest

from reports import sides

MIB = 2**20


def trial(framework: str, verdict: str | None, **more: Any) -> dict[str, Any]:
    rate = {"per_hour": more.pop("rate", 30 * MIB), "unit": "bytes", "per_hour_low": more.pop("low", 28 * MIB),
            "per_hour_high": more.pop("high", 32 * MIB)}  # fmt: skip
    return {
        "name": f"w-{framework}", "framework": framework, "execution": "eager", "verdict": verdict, "control": None,
        "confirms": None, "rate": rate, "minimum_detectable_rate": {"per_hour": 8 * MIB, "unit": "bytes"},
        "leak_probability": 0.995 if verdict == "leak" else 0.02, "layer": "host_heap" if verdict == "leak" else None,
        "held_by": None,
        "environment": {framework: "2.1"}, "end_reason": "crashed", **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("trials", "said"),
    [
        ([trial("torch", "pass"), trial("tensorflow", "pass")], "Neither leaks: torch 2.1 passes, no leak above 8"),
        ([trial("torch", "leak"), trial("tensorflow", "pass")], "Only torch 2.1 leaks: torch 2.1 grows 30 MiB/h (28"),
        ([trial("torch", "leak"), trial("tensorflow", "leak", rate=90 * MIB, low=80 * MIB, high=99 * MIB)],
         "Both leak, tensorflow 2.1 faster:"),
        ([trial("torch", "leak"), trial("tensorflow", "leak", rate=31 * MIB, low=20 * MIB)],
         "Both leak, at rates whose intervals overlap:"),
        ([trial("torch", "pass"), trial("tensorflow", "inconclusive")], "Cannot tell yet: torch 2.1 passes"),
        ([trial("torch", "pass"), trial("tensorflow", "unstable")], "Cannot tell yet:"),
        ([trial("torch", "pass"), trial("torch", "pass", execution="compiled"), trial("tensorflow", "pass")],
         "None of them leaks: torch 2.1 (eager) passes"),
    ],
)  # fmt: skip
def test_a_pair_is_answered_in_one_sentence(trials: list[dict[str, Any]], said: str) -> None:
    answer = sides.answer(trials)
    assert answer.startswith(said)
    assert answer.endswith(".")


def test_what_was_measured_is_in_the_answer() -> None:
    answer = sides.answer([trial("torch", "leak"), trial("tensorflow", "unstable")])
    assert "torch 2.1 grows 30 MiB/h (28 MiB/h to 32 MiB/h) in host_heap, P(leak) > 0.99" in answer
    assert "tensorflow 2.1 is unstable (crashed)" in answer


def test_repeats_that_are_run_alike_go_by_their_names() -> None:
    answer = sides.answer([trial("torch", "leak", name="w #1"), trial("torch", "pass", name="w #2"),
                           trial("tensorflow", "pass")])  # fmt: skip
    assert answer.startswith("Only torch 2.1 (w #1) leaks: torch 2.1 (w #1) grows 30 MiB/h")
    assert "; torch 2.1 (w #2) passes" in answer
    assert "; tensorflow 2.1 passes" in answer


def test_ways_of_running_that_differ_are_named() -> None:
    """A graph against eager operations is another comparison than like with like."""
    trials = [trial("torch", "pass"), trial("tensorflow", "pass", execution="graph")]
    assert [sides.label(each, trials) for each in trials] == ["torch 2.1 (eager)", "tensorflow 2.1 (graph)"]
    again = [trial("torch", "pass", name="w #1"), trial("torch", "pass", name="w #2"), trials[1]]
    labels = [sides.label(each, again) for each in again]
    assert labels == ["torch 2.1 (w #1, eager)", "torch 2.1 (w #2, eager)", "tensorflow 2.1 (graph)"]
    for alike in (trials[:1], [trials[0], trial("tensorflow", "pass")]):
        assert sides.label(alike[0], alike) == "torch 2.1"


def test_two_of_three_leak() -> None:
    trials = [trial("torch", "leak"), trial("torch", "leak", execution="graph"), trial("tensorflow", "pass")]
    assert sides.answer(trials).startswith("Only torch 2.1 (eager) and torch 2.1 (graph) leak: ")


def test_a_leak_says_whose_it_is_also_where_nobody_knows_how_fast() -> None:
    held = {"member": "rank 1 of 2", "device": "", "process": ""}
    with_rate, without = trial("torch", "leak", held_by=held), trial("torch", "leak", held_by=held)
    without["rate"] = None
    assert "in host_heap of rank 1 of 2, P(leak) > 0.99" in sides.answer([with_rate, trial("tensorflow", "pass")])
    said = "torch 2.1 leaks in host_heap of rank 1 of 2, P(leak) > 0.99;"
    assert said in sides.answer([without, trial("tensorflow", "pass")])


@pytest.mark.parametrize(
    "trials",
    [
        [trial("torch", "pass"), trial("torch", "leak")],
        [trial("torch", "pass"), trial("tensorflow", None)],
        [trial("torch", "pass"), trial("tensorflow", "leak", control={"expect": "leak"})],
        [trial("torch", "pass"), trial("tensorflow", "leak", confirms="w-torch")],
        [],
    ],
)
def test_without_two_frameworks_that_stand_for_themselves_there_is_no_answer(trials: list[dict[str, Any]]) -> None:
    assert sides.answer(trials) == ""
