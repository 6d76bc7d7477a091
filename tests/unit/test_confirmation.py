"""Which trials are confirmed, by what, and that what confirms them counts for no verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from monitors.judgement import Judgement
from monitors.model import Finding
from reports import advice, catalog, document, terminal
from soak.judge.verdict import Judged, judge_run
from soak.plan import config
from soak.plan.confirmation import BUSY, LONGEST, SHORTEST, confirmation_of
from soak.plan.plan import Trial, make_plan
from workloads.escalation import duration

FINDING = Finding(
    "trend", "host_heap_bytes", "host_heap", "bytes", "leak", 0.9, True, 1e6, (9e5, 1.1e6), None, 1e5, "linear",
    "grows", 60, 0,
)  # fmt: skip
LEAK = Judgement("leak", "grows", 0.97, True, "host_heap", findings=(FINDING,))


def trial_of(folder: Path, table: str, limit: str = 'duration = "10 min"') -> Trial:
    path = folder / "soak.toml"
    path.write_text(f"[run]\n{limit}\n[[trial]]\n{table}\n")
    return make_plan(config.load(path))[0]


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return trial_of(tmp_path, 'workload = "recurrent"\nframework = "torch"')


def test_a_leak_is_confirmed_by_the_same_workload_with_its_doses_escalated(trial: Trial) -> None:
    further = confirmation_of(trial, LEAK, 7, steps=3000.0, seconds=60.0)
    assert further is not None
    assert (further.index, further.name) == (7, "recurrent-torch-confirm")
    assert (further.confirms, further.confirms_layer) == ("recurrent-torch", "host_heap")
    assert further.spec.escalation is not None
    assert further.spec.escalation.pace == pytest.approx(BUSY * 50)
    assert further.spec.duration == pytest.approx(600), "as long as the trial itself"
    assert further.members[0].spec == further.spec
    assert not further.members[0].probes
    same = {"duration": None, "escalation": None}
    assert replace(further.spec, **same) == replace(trial.spec, **same)  # type: ignore[arg-type]
    settings = further.facts()["settings"]
    assert (settings["confirms"], settings["confirms_layer"]) == ("recurrent-torch", "host_heap")
    assert settings["escalation"]["pace"] == further.spec.escalation.pace
    assert further.block != trial.block


@pytest.mark.parametrize(("limit", "phase"), [('duration = "10 s"', SHORTEST), ('duration = "24 h"', LONGEST)])
def test_its_phases_are_neither_too_short_nor_too_long(tmp_path: Path, limit: str, phase: float) -> None:
    trial = trial_of(tmp_path, 'workload = "recurrent"\nframework = "torch"', limit)
    further = confirmation_of(trial, LEAK, 1, 100.0, 10.0)
    assert further is not None
    assert further.spec.duration == pytest.approx(duration(1, phase))


@pytest.mark.parametrize(
    ("judgement", "suspected"),
    [
        (LEAK, True),
        (replace(LEAK, verdict="inconclusive", leak_probability=0.5, layer=None), True),
        (replace(LEAK, verdict="inconclusive", leak_probability=0.49, layer=None), False),
        (replace(LEAK, verdict="pass", leak_probability=0.02, layer=None), False),
        (replace(LEAK, verdict="unstable", layer=None), False),
        (Judgement("leak", "grows", 0.97), False),
    ],
)
def test_what_is_suspected_is_confirmed(judgement: Judgement, suspected: bool, trial: Trial) -> None:
    assert (confirmation_of(trial, judgement, 1, 100.0, 10.0) is not None) == suspected


def test_a_control_and_what_confirms_another_are_not_confirmed(trial: Trial) -> None:
    further = confirmation_of(trial, LEAK, 1, 100.0, 10.0)
    assert further is not None
    assert confirmation_of(further, LEAK, 2, 100.0, 10.0) is None
    assert confirmation_of(replace(trial, expect="leak"), LEAK, 1, 100.0, 10.0) is None
    assert confirmation_of(trial, LEAK, 1, 0.0, 10.0) is None, "without a step there is no pace"


@pytest.mark.parametrize("table", ['command = ["true"]', 'workload = "recurrent"\nframework = "torch"\nranks = 2'])
def test_doses_that_are_not_soaks_to_give_are_left_alone(tmp_path: Path, table: str) -> None:
    assert confirmation_of(trial_of(tmp_path, table), LEAK, 1, 100.0, 10.0) is None


def test_to_have_no_escalation_is_no_setting(trial: Trial) -> None:
    assert "escalation" not in trial.facts()["settings"]
    assert "confirms" not in trial.facts()["settings"]


def test_it_counts_for_no_verdict() -> None:
    leak = Judged("a", "leak", None)
    assert judge_run([leak, Judged("a-confirm", "pass", None, aside=True)]).reason == "a leaks"
    calm = judge_run([Judged("a", "pass", None), Judged("b-confirm", "inconclusive", None, aside=True)])
    assert (calm.verdict, calm.reason) == ("pass", "no leak in a")


@pytest.fixture
def told(empty_record: Callable[..., Any]) -> Any:
    record = empty_record(verdict="leak", reason="1 trial of 1 leaked: recurrent-torch")
    record.add("torch", 1.0)
    record.add(
        "torch", 2.0, name="recurrent-torch-confirm", reason="host_heap follows steps: 16 KiB a step",
        settings={"confirms": "recurrent-torch", "confirms_layer": "host_heap"},
    )  # fmt: skip
    return record


def test_every_report_tells_what_it_found_with_the_trial_that_it_explains(told: Any) -> None:
    body = document.build(told)
    first, further = body["trials"]
    assert (first["confirms"], first["confirmation"]) == ("", "host_heap follows steps: 16 KiB a step")
    assert (further["confirms"], further["confirmation"]) == ("recurrent-torch", "")
    assert "Fastest" not in body["run"]["headline"], "what was escalated is no rate of the workload"
    assert [name for name, _ in advice.next_steps(body["trials"])] == ["host_heap"]
    html = catalog.load("html").render(body, told)
    assert "Confirmed by one dose at a time: host_heap follows steps: 16 KiB a step." in html
    assert "explains recurrent-torch" in html
    markdown = catalog.load("markdown").render(body, told)
    assert "- **recurrent-torch**, one dose at a time: host\\_heap follows steps: 16 KiB a step" in markdown
    console = Console(width=200, record=True)
    terminal.print_summary(body, console, ())
    assert "recurrent-torch, one dose at a time: host_heap follows steps: 16 KiB a step" in console.export_text()
    assert catalog.load("junit").render(body, told).count("<failure") == 1
