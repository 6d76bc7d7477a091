"""What changes make of growth, in words; the document, and how every report shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import reports
from monitors.judgement import Judgement
from monitors.model import Finding
from reports import catalog, diagnosis, document
from reports.record import TrialInfo
from soak.diagnose import document as written
from soak.diagnose import findings
from soak.diagnose.outcome import outcome
from soak.diagnose.replay import Replay

SCHEMA = json.loads((Path(reports.__file__).parent / "schema" / "soak.diagnosis-1.json").read_text())
MIB = 2.0**20


def finding(layer: str, rate: float, verdict: str, least: float = 1.0, series: str = "") -> Finding:
    return Finding(
        "trend", series or f"{layer}_bytes", layer, "bytes", verdict, 0.9, True, rate * MIB,  # type: ignore[arg-type]
        (0.9 * rate * MIB, 1.1 * rate * MIB), rate, least * MIB, "linear", "", 60, 0,
        rate_per_step_ci95=(0.9 * rate, 1.1 * rate),
    )  # fmt: skip


def ended(verdict: str, *found: Finding, reason: str = "finished") -> TrialInfo:
    layer = next((each.layer for each in found if each.verdict == "leak"), None)
    judged = Judgement(verdict, "", 0.9, True, layer, findings=found)  # type: ignore[arg-type]
    return TrialInfo(0, "t", "w", "torch", "infer", "eager", 1, "b", "a", "ended", end_reason=reason, judgement=judged)


def ablation(**changed: Any) -> Replay:
    return Replay("infer", "ablation", "training off", {}, changed)


BEFORE = ended("leak", finding("host_heap", 100, "leak"), finding("total", 150, "leak"))


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (ended("pass", finding("host_heap", 0.1, "pass")), "stops"),
        (ended("pass", finding("host_heap", 0.1, "pass", least=500)), "not told"),
        (ended("leak", finding("host_heap", 20, "leak")), "slows"),
        (ended("leak", finding("host_heap", 95, "leak")), "goes on"),
        (ended("leak", finding("host_heap", 200, "leak")), "goes on"),
        (ended("inconclusive", finding("host_heap", 50, "inconclusive")), "not told"),
        (ended("unstable", reason="crashed"), "not told"),
        (None, "not told"),
    ],
)
def test_what_a_change_makes_of_the_growth(info: TrialInfo | None, expected: str) -> None:
    assert outcome(ablation(mode="infer"), info, "host_heap", BEFORE)["compared"] == expected


def test_another_allocator_is_compared_by_what_the_process_takes() -> None:
    """The account of glibc's heap stands still under another allocator."""
    other = ended("leak", finding("host_heap", 0.0, "pass"), finding("total", 150, "leak"))
    found = outcome(ablation(env={"LD_PRELOAD": "j"}), other, "host_heap", BEFORE)
    assert (found["compared"], found["rate"]["layer"]) == ("goes on", "total")


def test_floors_speak_before_what_is_held_at_any_time() -> None:
    info = ended(
        "leak", finding("host_heap", 3, "leak"), finding("host_heap", 5, "leak", series="floor_host_heap_bytes")
    )
    assert outcome(ablation(), info, "host_heap", BEFORE)["rate"]["per_hour"] == 5 * MIB


def test_nothing_is_compared_with_a_replay_that_did_not_leak() -> None:
    calm = ended("pass", finding("host_heap", 0.0, "pass"))
    assert outcome(ablation(), calm, "host_heap", calm)["compared"] == "not told"


def line(name: str, rate: float) -> dict[str, Any]:
    return {"line": name, "stack": ["main.py:1 main", name], "bytes": 1000, "count": 10, "bytes_per_hour": rate * MIB,
            "count_per_hour": 10.0, "bytes_per_step": 10.0, "count_per_step": 1.0}  # fmt: skip


def trial(**keys: Any) -> dict[str, Any]:
    body = {
        "name": "recurrent-torch", "index": 0, "verdict": "leak", "layer": "host_heap", "rate_per_hour": 100 * MIB,
        "made": 1.7e9, "seconds": 60.0, "interrupted": False, "record": "diagnosis/replays-1",
        "replays": [outcome(Replay("as-recorded", "baseline", "as recorded", {}), BEFORE, "host_heap", BEFORE)],
        "lines": None, "native": None, "device_memory": None, "threads": [], "left_out": [], **keys,
    }  # fmt: skip
    return {**body, "found": findings.said(body)}


FULL = trial(
    lines={"seconds": 45.0, "steps": 100, "member": "", "share": None,
           "grown": [line("/x/site-packages/torch/nn/a.py:3", 7)],
           "own": [line("/home/me/<b>train.py:12", 7)]},
    native={"seconds": 45.0, "steps": 100, "share": 0.97, "capture": "/c.bin",
            "grown": [line("operator new(unsigned long)", 90)]},
    threads=[{"pid": 1, "name": "MainThread", "stack": ["train.py:1 main"]}],
    left_out=[{"what": "training off", "why": "it does not train"}],
)  # fmt: skip


def test_what_was_found_is_said_first() -> None:
    assert FULL["found"] == [
        "Native memory grows by 90 MiB/h at main.py:1 main › operator new; all growth that it saw is 97 % of the growth"
        " of the trial.",
        "me/<b>train.py:12 allocates Python memory that stays: 7 MiB/h, 1 blocks a step.",
    ]
    assert findings.found_something(FULL)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "no line, stack or change explains it"),
        ({"replays": [outcome(ablation(), ended("pass"), "", None) | {"kind": "baseline"}]}, "a longer --duration"),
        ({"replays": [outcome(ablation(), ended("unstable", reason="crashed"), "", None) | {"kind": "baseline"}]},
         "did not run to its end: crashed"),
        ({"interrupted": True}, "Interrupted"),
    ],
)  # fmt: skip
def test_nothing_found_says_what_to_do(keys: dict[str, Any], said: str) -> None:
    body = trial(**keys)
    assert said in body["found"][0]
    assert not findings.found_something(body)


def test_the_document_keeps_to_its_schema_and_a_second_diagnosis_replaces_the_first(tmp_path: Path) -> None:
    written.add(tmp_path, "demo-1", FULL)
    written.add(tmp_path, "demo-1", trial(name="other"))
    body, _ = written.add(tmp_path, "demo-1", trial())
    jsonschema.validate(body, SCHEMA)
    assert [each["name"] for each in body["trials"]] == ["other", "recurrent-torch"]
    assert body["trials"][1]["lines"] is None
    assert diagnosis.read(tmp_path) == body


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "soak.diagnosis/2", "trials": []}', "\x00"])
def test_what_is_no_diagnosis_is_not_read(tmp_path: Path, text: str) -> None:
    (tmp_path / diagnosis.FILE).write_text(text)
    assert diagnosis.read(tmp_path) is None


def test_every_report_shows_it(leaky: Any, tmp_path: Path) -> None:
    written.add(tmp_path, "demo-1", FULL)
    body = document.build(leaky, diagnosis.read(tmp_path))
    schema = json.loads((Path(reports.__file__).parent / "schema" / "soak.report-1.json").read_text())
    jsonschema.validate(body, schema)
    page, text = (catalog.load(name).render(body, leaky) for name in ("html", "markdown"))
    assert "Lines that grow" in page
    assert "me/&lt;b&gt;train.py:12" in page
    assert "operator new" in text
    assert json.loads(catalog.load("json").render(body, leaky))["diagnosis"]["trials"][0]["name"] == "recurrent-torch"


def test_a_diagnosis_that_was_written_by_hand_takes_no_report_down(leaky: Any) -> None:
    body = document.build(leaky, {"schema": diagnosis.SCHEMA, "trials": [{"name": "x"}, 7, {**FULL, "lines": {}}]})
    for name in catalog.names():
        assert catalog.load(name).render(body, leaky)


@pytest.mark.parametrize(
    ("frame", "shown"),
    [
        ("/home/me/project/train.py:12 step", "project/train.py:12 step"),
        ("/v/lib/python3.11/site-packages/torch/nn/modules/linear.py:134", "modules/linear.py:134"),
        ("operator new(unsigned long, std::nothrow_t const&)", "operator new"),
        ("malloc", "malloc"),
    ],
)
def test_a_frame_is_short_in_a_table(frame: str, shown: str) -> None:
    assert diagnosis.short(frame) == shown
