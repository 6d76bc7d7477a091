"""Is it really a leak? Answered from the trial, and only of one that leaks."""

from __future__ import annotations

from typing import Any

import pytest

from reports import advice, questions

MIB = 2**20
RUN = {"controls_text": ""}
PROBES = {"count": 14, "judged": True, "garbage_bytes": 3.0 * MIB, "cached_bytes": 0.0, "retained_bytes": None}


def leak(**more: Any) -> dict[str, Any]:
    rate = {
        "series": "floor_total_bytes", "layer": "total", "unit": "bytes", "per_hour": 30.0 * MIB,
        "per_hour_low": 28.0 * MIB, "per_hour_high": 32.0 * MIB, "by_dose_text": "2 KiB a step",
        "hours_to_exhaustion": 10.0,
    }  # fmt: skip
    finding = {"verdict": "leak", "shape": "late onset", "onset_seconds": 120.0}
    return {
        "name": "a b", "verdict": "leak", "layer": "host_heap", "rate": rate, "leak_probability": 0.97,
        "calibrated": True,
        "minimum_detectable_rate": {"per_hour": 8.0 * MIB, "unit": "bytes"}, "probes": PROBES, "seconds": 600.0,
        "series": [{"name": "floor_total_bytes", "findings": [finding]}], "cause": "200 objects of `Tensor` an hour",
        "control": None, "confirms": None, **more,
    }  # fmt: skip


def answers(trial: dict[str, Any], run: dict[str, Any] = RUN) -> dict[str, str]:
    return dict(questions.asked(trial, run))


def test_every_question_is_answered_from_the_trial() -> None:
    said = answers(leak())
    assert "30 MiB/h, with 95 % confidence 28 MiB/h to 32 MiB/h" in said["Is it more than noise?"]
    survived = said["Does it survive garbage collection, emptied caches and malloc_trim?"]
    assert survived.startswith("Yes: the growth is that of what was left after 14 clean-ups.")
    assert "collection 3 MiB, emptied caches 0 B" in survived
    assert "trim" not in survived, "what a stage did not tell is left out"
    assert "shape is late onset, after it began at 2 min" in said["Does it stop by itself?"]
    assert "memory is exhausted in 10 h" in said["Does the machine lose this memory?"]
    assert said["What does it follow?"] == "2 KiB a step."
    assert said["Would this run call anything a leak?"].startswith("It has no controls.")
    assert said["Who holds it?"] == "200 objects of `Tensor` an hour."


@pytest.mark.parametrize(
    ("probes", "begins"), [(None, "Not tested"), ({**PROBES, "judged": False, "count": 5}, "Not surely: 5 clean-ups")]
)
def test_without_enough_probes_nobody_says_yes(probes: Any, begins: str) -> None:
    said = answers(leak(probes=probes))
    assert said["Does it survive garbage collection, emptied caches and malloc_trim?"].startswith(begins)


def test_a_leak_below_what_is_detectable_is_explained() -> None:
    limit = {"per_hour": 50.0 * MIB, "unit": "bytes"}
    assert "less may be found too" in answers(leak(minimum_detectable_rate=limit))["Is it more than noise?"]


def test_controls_of_unknown_rate_are_controls_too() -> None:
    controls = [leak(control={"expect": "leak", "passed": passed}) for passed in (True, True, None)]
    said = dict(questions.asked(leak(), RUN, [leak(), *controls]))
    assert said["Would this run call anything a leak?"] == "Its controls: 2 of 3 judged as expected."


def test_controls_speak_for_the_run() -> None:
    said = answers(leak(), {"controls_text": "a leak of 9 MiB/h was found"})
    assert said["Would this run call anything a leak?"] == "Its controls: a leak of 9 MiB/h was found."


@pytest.mark.parametrize(
    ("layer", "outer", "begins"),
    [
        (
            "host_heap",
            "total",
            "Yes: total, all that the trial takes, grows by 30 MiB/h, and host_heap is the innermost",
        ),
        ("host_heap", "anonymous", "Yes: anonymous grows by 30 MiB/h, and host_heap is"),
        ("anonymous", "anonymous", "Yes: anonymous is what grows"),
        ("gpu_allocated", "gpu_allocated", "Yes: gpu_allocated is what grows"),
        ("host_heap", "host_heap", "Not seen so far: host_heap grows, but what is taken as a whole does not clearly"),
    ],
)
def test_growth_that_no_outer_layer_shows_is_not_called_lost(layer: str, outer: str, begins: str) -> None:
    trial = leak(layer=layer)
    trial["rate"]["layer"] = outer
    assert answers(trial)["Does the machine lose this memory?"].startswith(begins)


@pytest.mark.parametrize("verdict", ["pass", "inconclusive", None])
def test_of_a_trial_without_a_leak_nothing_is_asked(verdict: str | None) -> None:
    assert questions.asked(leak(verdict=verdict), RUN) == []


def test_the_next_command_is_for_the_surest_leak_that_was_not_diagnosed() -> None:
    body = {"run": {"id": "r"}, "trials": [leak(), leak(name="sure", leak_probability=0.999)]}
    assert advice.commands(body) == ["soak diagnose runs/r --trial sure"]
    assert advice.commands({**body, "diagnosis": {"trials": [{"name": "sure"}]}}) == [
        "soak diagnose runs/r --trial 'a b'"
    ]
    assert advice.commands({**body, "trials": [leak(control={"expect": "leak"})]}) == []
