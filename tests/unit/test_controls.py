"""Controls that a run makes for itself: a planted leak and its clean twin in each framework, and what they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reports
from monitors.detection import judge as detection
from monitors.judgement import Judgement
from monitors.model import LAYERS as KNOWN
from reports import catalog, document
from reports import controls as told
from soak.errors import ConfigError
from soak.judge.trial import _control_passed
from soak.judge.verdict import Judged, is_aside, judge_run
from soak.plan import config, controls
from soak.plan.plan import Trial, make_plan
from soak.plan.shipped import shipped

BOTH = """
[run]
duration = "10 min"
controls = true
[stream]
height = 48
[[trial]]
workload = "recurrent"
[[trial]]
workload = "zoo_retrace"
framework = "tensorflow"
python = "/opt/other/bin/python"
"""


def plan_of(folder: Path, text: str, *overrides: str, **keys: Any) -> dict[str, Trial]:
    path = folder / "soak.toml"
    path.write_text(text)
    return {trial.name: trial for trial in make_plan(config.load(path, overrides, **keys))}


def own(plan: dict[str, Trial]) -> dict[str, Trial]:
    return {name: trial for name, trial in plan.items() if name.startswith("control-")}


def test_each_framework_has_a_planted_leak_and_its_clean_twin(tmp_path: Path) -> None:
    plan = own(plan_of(tmp_path, BOTH))
    assert set(plan) == {f"control-{kind}-{name}" for kind in ("leak", "clean") for name in ("torch", "tensorflow")}
    for name in ("torch", "tensorflow"):
        leak, clean = plan[f"control-leak-{name}"], plan[f"control-clean-{name}"]
        assert (leak.expect, clean.expect) == ("leak", "pass")
        assert clean.planted == clean.spec.options["mib_per_second"] == 0
        assert leak.planted == pytest.approx(leak.spec.options["mib_per_second"] * 3600 * 2**20)
        assert leak.facts()["settings"]["planted"] == leak.planted
        assert replace(leak.spec, options={}) == replace(clean.spec, options={}), "twins differ in the leak alone"
        assert leak.spec.duration == 600
        assert leak.spec.stream.options["height"] == 48


def test_without_being_asked_there_are_none(tmp_path: Path) -> None:
    assert not own(plan_of(tmp_path, BOTH, "run.controls=false"))
    assert "planted" not in plan_of(tmp_path, BOTH)["recurrent-torch"].facts()["settings"]


def test_controls_run_as_the_first_trial_of_their_framework_does(tmp_path: Path) -> None:
    text = '[run]\nduration = "1 min"\ncontrols = true\n[[trial]]\nworkload = "recurrent"\nframework = "torch"\n'
    plan = own(plan_of(tmp_path, text + 'python = "/opt/p"\nthreads = 3\nenv = { MALLOC_ARENA_MAX = "1" }\n'))
    for trial in plan.values():
        assert trial.members[0].python == "/opt/p"
        assert trial.members[0].env == {"MALLOC_ARENA_MAX": "1"}
        assert trial.spec.threads == 3


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        ('duration = "3 h"\n', 3 * 3600.0),
        ('stream_time = "72 h"\n', controls.LENGTH),
        ("steps = 9\n", controls.LENGTH),
    ],
)
def test_a_control_lasts_as_long_as_the_longest_trial(tmp_path: Path, limits: str, seconds: float) -> None:
    text = f'[run]\ncontrols = true\n[[trial]]\nworkload = "recurrent"\n{limits}'
    assert {trial.spec.duration for trial in own(plan_of(tmp_path, text)).values()} == {seconds}


def test_what_is_no_workload_has_controls_without_a_framework(tmp_path: Path) -> None:
    text = '[run]\nduration = "1 min"\ncontrols = true\n[[trial]]\ncommand = ["true"]\n'
    assert {trial.spec.framework for trial in own(plan_of(tmp_path, text)).values()} == {"none"}


def test_workloads_of_another_source_have_controls_of_clips(tmp_path: Path) -> None:
    text = '[run]\nduration = "1 min"\ncontrols = true\n[stream]\nsource = "tokens"\n[[trial]]\nworkload = "language"\n'
    assert {trial.spec.stream.source for trial in own(plan_of(tmp_path, text)).values()} == {"synthetic"}


@given(st.floats(20, 1e7), st.floats(1e3, 1e9))
def test_what_is_planted_counts_as_growth_and_is_as_slow_as_may_be(seconds: float, min_rate: float) -> None:
    rate = controls.planted_rate(seconds, min_rate)
    settings = detection.JudgeSettings(min_rate_bytes_per_hour=min_rate)
    share = settings.least_growth_share * controls.HELD * min(1.0, (detection._CREEPING / seconds) ** 0.5)
    least = max(settings.least_growth_bytes, share)
    assert rate == pytest.approx(controls.MARGIN * max(min_rate, least * 3600 / seconds))
    assert rate >= controls.MARGIN * min_rate


def test_of_a_day_it_is_about_the_least_rate_that_counts() -> None:
    assert controls.planted_rate(24 * 3600, 2**20) == 3 * 2**20


def test_layers_of_the_plant_are_layers() -> None:
    assert {layer for layer in controls.LAYERS if layer != "total"} <= set(KNOWN)


@pytest.mark.parametrize("name", ["configs/day.toml", "configs/72h.toml"])
def test_long_configs_have_controls(name: str) -> None:
    plan = make_plan(config.load(shipped(name)))
    assert {trial.expect for trial in plan if trial.name.startswith("control-")} == {"leak", "pass"}


def test_a_planted_rate_belongs_to_a_control(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="verdict that expect_layer, expect_end or planted belongs to"):
        plan_of(tmp_path, BOTH, 'trial.0.planted="1 MiB/h"')


def test_a_missed_plant_and_a_flagged_twin_make_a_run_invalid() -> None:
    sound = Judged("recurrent-torch", "pass", None)
    missed = judge_run([sound, Judged("control-leak-torch", "pass", False, "leak")])
    assert missed.verdict == "invalid"
    assert "control-leak-torch was expected to be leak and is pass" in missed.reason
    flagged = judge_run([sound, Judged("control-clean-torch", "leak", False, "pass")])
    assert flagged.verdict == "invalid"
    assert judge_run([sound, Judged("control-leak-torch", "leak", True, "leak")]).verdict == "pass"
    doubtful = Judged("control-clean-torch", "inconclusive", None, "pass", aside=is_aside("inconclusive", "", 0.0))
    assert judge_run([sound, doubtful]).reason == "no leak in recurrent-torch"
    broke = Judged("control-clean-torch", "invalid", None, "pass", aside=is_aside("invalid", "", 0.0))
    assert judge_run([sound, broke]).verdict == "invalid"


@pytest.mark.parametrize(
    ("planted", "expect", "verdict", "passed"),
    [
        (0.0, "pass", "inconclusive", None),
        (0.0, "pass", "leak", False),
        (0.0, "pass", "unstable", False),
        (0.0, "pass", "pass", True),
        (1e6, "leak", "inconclusive", False),
        (1e6, "leak", "leak", True),
        (None, "pass", "inconclusive", False),
    ],
)
def test_a_clean_twin_in_doubt_is_not_flagged_but_a_plant_in_doubt_is_missed(
    planted: float | None, expect: str, verdict: Any, passed: bool | None, empty_record: Callable[..., Any]
) -> None:
    settings = {} if planted is None else {"planted": planted}
    trial = empty_record().add("torch", 0.0, expect=expect, settings=settings)
    assert _control_passed(trial, Judgement(verdict, "so"), 0) is passed


def controlled(make: Callable[..., Any], planted: float, expect: str, **keys: Any) -> Any:
    record = make(verdict="pass", reason="no leak in recurrent-torch")
    record.add("torch", 0.0)
    record.add("torch", planted, name="control", expect=expect, settings={"planted": planted * 3600 * 2**20}, **keys)
    return record


@pytest.mark.parametrize(
    ("planted", "expect", "keys", "said"),
    [
        (1.0, "leak", {"control_passed": True}, "a leak of 3.52 GiB/h planted in torch was found (measured as 3.5"),
        (1.0, "leak", {"control_passed": False, "verdict": "pass", "leak_probability": 0.02},
         "a leak of 3.52 GiB/h planted in torch was missed (pass, leak probability 0.02)"),
        (0.0, "pass", {"control_passed": True, "leak_probability": 0.03},
         "its clean twin in torch passed (leak probability 0.03)"),
        (0.0, "pass", {"control_passed": False, "verdict": "leak", "leak_probability": 0.97},
         "its clean twin in torch was called a leak (leak probability 0.97)"),
        (0.0, "pass", {"verdict": "inconclusive", "leak_probability": None},
         "its clean twin in torch was inconclusive"),
    ],
)  # fmt: skip
def test_every_report_tells_the_measured_sensitivity(
    planted: float, expect: str, keys: dict[str, Any], said: str, empty_record: Callable[..., Any]
) -> None:
    record = controlled(empty_record, planted, expect, **keys)
    body = document.build(record)
    assert said in body["run"]["controls_text"]
    schema = json.loads((Path(reports.__file__).parent / "schema" / "soak.report-1.json").read_text())
    jsonschema.validate(json.loads(catalog.load("json").render(body, record)), schema)
    assert f"<strong>Measured sensitivity:</strong> {said.partition(' (')[0]}" in catalog.load("html").render(
        body, record
    )
    assert "- **Measured sensitivity**: " in catalog.load("markdown").render(body, record)


def test_a_run_without_controls_of_its_own_tells_none(leaky: Any) -> None:
    body = document.build(leaky)
    assert body["run"]["controls"] == []
    assert body["run"]["controls_text"] == told.said([]) == ""
    assert "Measured sensitivity" not in catalog.load("html").render(body, leaky)
