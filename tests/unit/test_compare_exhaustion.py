"""Time to exhaustion: of the finding that speaks for a trial, and told also where one side alone leaks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import reports
from monitors.judgement import Judgement
from monitors.model import Finding
from reports.record import TrialInfo
from soak.cli import main
from soak.compare.readings import read
from tests.comparing import MIB, PlantedTrial, both, planted

TORCH = PlantedTrial()
TENSORFLOW = PlantedTrial(framework="tensorflow", version="2.16")
LEAKS = {"verdict": "leak", "leaks": 0.999, "growth": 600 * MIB}


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    schema = json.loads((Path(reports.__file__).parent / "schema" / "soak.comparison-1.json").read_text())

    def run(*words: object) -> dict[str, Any]:
        assert main(["compare", *map(str, words), "--json"]) == 0
        body: dict[str, Any] = json.loads(capsys.readouterr().out)
        jsonschema.Draft202012Validator(schema).validate(body)
        return body["comparisons"][0]  # type: ignore[no-any-return]

    return run


def of(comparison: dict[str, Any], which: str) -> list[dict[str, Any]]:
    return [one for one in comparison[which] if one["measure"] == "time_to_exhaustion"]


def test_where_one_side_alone_leaks_its_time_is_told(
    tmp_path: Path, told: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run = planted(tmp_path, "a", both(12, tensorflow=replace(TENSORFLOW, **LEAKS)))
    comparison = told(run, "--by", "framework")
    assert of(comparison, "differences") == []
    (row,) = of(comparison, "one_sided")
    assert row["first"]["value"] == pytest.approx(10.0)
    assert (row["second"], row["trials"], row["leaking"]) == (None, [12, 0], [12, 0])
    page = tmp_path / "page.html"
    assert main(["compare", str(run), "--by", "framework", "--html", str(page)]) == 0
    said = capsys.readouterr().out
    for text in ("time to exhaustion", "of 12 trials that leak", "none leaks", "only tensorflow leaks"):
        assert text in said
        assert text in page.read_text()
    assert said.index("time to exhaustion") < said.rindex("probability of a restart"), "in its place"
    assert page.read_text().count("<svg role=") == len(comparison["differences"])
    assert of(told(run, "--by", "framework", "--measure", "throughput"), "one_sided") == [], "nobody asked"


def test_the_other_way_round_it_is_the_other_side(tmp_path: Path, told: Callable[..., Any]) -> None:
    leaky = replace(TORCH, **LEAKS, judged={"leak_probability": 0.999})
    (row,) = of(told(planted(tmp_path, "a", both(3, leaky, TENSORFLOW))), "one_sided")
    assert (row["first"], row["second"]["value"], row["leaking"]) == (None, pytest.approx(10.0), [0, 3])


def test_where_both_leak_there_is_a_difference(tmp_path: Path, told: Callable[..., Any]) -> None:
    comparison = told(planted(tmp_path, "a", both(3, replace(TORCH, **LEAKS), replace(TENSORFLOW, **LEAKS))))
    assert of(comparison, "one_sided") == []
    assert len(of(comparison, "differences")) == 1


def test_where_none_leaks_there_is_no_row(tmp_path: Path, told: Callable[..., Any]) -> None:
    comparison = told(planted(tmp_path, "a", both(3)))
    assert of(comparison, "one_sided") == of(comparison, "differences") == []


def test_that_the_other_side_leaks_without_a_known_limit_is_no_word_that_it_does_not(
    tmp_path: Path, told: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    unlimited = replace(TORCH, **LEAKS)
    (finding,) = unlimited.judgement().findings
    unlimited = replace(unlimited, judged={"findings": (replace(finding, hours_to_exhaustion=None),)})
    run = planted(tmp_path, "a", both(3, unlimited, replace(TENSORFLOW, **LEAKS)))
    (row,) = of(told(run, "--by", "framework"), "one_sided")
    assert row["leaking"] == [3, 3]
    assert main(["compare", str(run), "--by", "framework"]) == 0
    said = capsys.readouterr().out
    assert "3 leak, with no limit known" in said
    assert "known of tensorflow alone" in said


def test_the_verdicts_of_an_invalid_run_say_nothing(
    tmp_path: Path, told: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    old = planted(tmp_path, "old", [replace(TORCH, seed=n) for n in range(3)], verdict="invalid")
    new = planted(tmp_path, "new", [replace(TORCH, seed=n, **LEAKS) for n in range(3)], started=1.8e9)
    (row,) = of(told(old, new), "one_sided")
    assert row["leaking"] == [3, None]
    assert main(["compare", str(old), str(new)]) == 0
    assert "known of new alone" in capsys.readouterr().out


def test_of_several_groups_each_is_told(tmp_path: Path, told: Callable[..., Any]) -> None:
    """One workload leaks on both sides, the other on one."""
    small, large = {"stream": {"height": 32}}, {"stream": {"height": 256}}
    trials = [
        *(replace(t, settings=small) for t in both(3, replace(TORCH, **LEAKS), replace(TENSORFLOW, **LEAKS))),
        *(replace(t, settings=large) for t in both(3, TORCH, replace(TENSORFLOW, **LEAKS))),
    ]
    comparison = told(planted(tmp_path, "a", trials), "--by", "framework")
    titles = {group["name"]: group["title"] for group in comparison["groups"]}
    assert [one["group"] for one in of(comparison, "differences")] == [""], "of the block in which both leak"
    assert [titles[one["group"]] for one in of(comparison, "one_sided")] == ["recurrent infer, stream.height 256"]


def finding(series: str, layer: str, hours: float, **keys: Any) -> Finding:
    made = Finding("trend", series, layer, "bytes", "leak", 0.99, True, 1e9, (9e8, 1.1e9), None, None, "linear", "", 90,
                   0, hours_to_exhaustion=hours)  # fmt: skip
    return replace(made, **keys)


@pytest.mark.parametrize(
    ("judged", "hours"),
    [
        ({"layer": "gpu_allocated"}, 3.0),
        ({"layer": "host_heap", "outer": "cgroup_total_bytes"}, 5.0),
        ({"layer": "total", "member": "rank 1 of 2"}, 7.0),
    ],
)
def test_it_is_that_of_what_speaks_for_the_trial(judged: dict[str, Any], hours: float) -> None:
    """Of a card, of what the machine loses to a leak inside, or of a member: not of the outer sum of the host alone."""
    member = "rank 1 of 2"
    findings = (
        finding("total_bytes", "total", 90.0, verdict="pass"),
        finding("gpu_allocated_bytes", "gpu_allocated", 3.0),
        finding("cgroup_total_bytes", "total", 5.0),
        finding("host_heap_bytes", "host_heap", 1.0),
        finding(f'total_bytes{{member="{member}"}}', "total", 7.0, member=member),
    )
    body = PlantedTrial(verdict="leak").body(0)
    info = TrialInfo(**body, judgement=Judgement("leak", "planted", 0.99, True, findings=findings, **judged))
    assert read(info, [])["time_to_exhaustion"]["trial"].value == hours
