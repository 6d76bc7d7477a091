"""The body of a report and its formats: what was found is told, in order, escaped, and nothing else."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest
from rich.console import Console

import reports
from monitors.detection.series import Series
from monitors.judgement import Grown
from monitors.model import LAYERS, Event
from monitors.units import format_rate
from reports import advice, analysis_page, catalog, charts, document, headline, terminal


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    text = (Path(reports.__file__).parent / "schema" / "soak.report-1.json").read_text()
    return jsonschema.Draft202012Validator(json.loads(text))


def test_every_report_is_valid(schema: jsonschema.Draft202012Validator, calm: Any, leaky: Any) -> None:
    for record in (calm, leaky):
        schema.validate(json.loads(catalog.load("json").render(document.build(record), record)))


def test_a_report_of_a_command_is_valid_and_shows_no_framework(
    schema: jsonschema.Draft202012Validator, empty_record: Callable[..., Any]
) -> None:
    record = empty_record()
    record.add("none", 0.0, name="train", workload="train", mode="command", arm="train", device="cuda:0,cuda:1")
    body = document.build(record)
    schema.validate(json.loads(catalog.load("json").render(body, record)))
    (case,) = ElementTree.fromstring(catalog.load("junit").render(body, record)).iter("testcase")
    assert case.get("classname") == "soak.train"
    html = catalog.load("html").render(body, record)
    assert "command · cuda:0,cuda:1" in html
    assert "eager" not in html


def test_the_schema_knows_every_layer(schema: jsonschema.Draft202012Validator) -> None:
    body: Any = schema.schema
    assert {*body["$defs"]["layer"]["enum"]} == {*LAYERS, None}


def test_the_schema_refuses_what_it_does_not_know(schema: jsonschema.Draft202012Validator, calm: Any) -> None:
    body = document.build(calm)
    body["trials"][0]["surprise"] = 1
    assert not schema.is_valid(json.loads(json.dumps(body)))


def test_numbers_of_a_leak_are_those_of_the_layer_that_leaks(leaky: Any) -> None:
    body = document.build(leaky)
    torch = body["trials"][0]
    assert torch["layer"] == "host_heap"
    assert torch["rate"]["series"] == "host_heap_bytes"
    assert torch["rate"]["per_hour"] == pytest.approx(3600 * 2**20, rel=0.02)
    assert torch["rate"]["per_hour_low"] < 3600 * 2**20 < torch["rate"]["per_hour_high"]
    assert torch["rate"]["per_step"] == pytest.approx(2**20 / 50, rel=0.02)
    assert torch["frames_per_second"] == pytest.approx(800)
    assert torch["doses"]["stream_seconds"] == pytest.approx(32 * 59.75)
    assert "Leak: 1 trial of 3 leaked" in body["run"]["headline"]
    assert "recurrent-torch grows 3.5" in body["run"]["headline"]


def test_without_a_leak_the_smallest_that_all_would_have_shown_is_told(calm: Any) -> None:
    body = document.build(calm)
    limits = [t["minimum_detectable_rate"]["per_hour"] for t in body["trials"]]
    assert all(0 < limit < 100 * 2**20 for limit in limits)
    assert body["run"]["headline"].endswith(f" (detectable above {format_rate(max(limits), 'bytes')}).")


def test_final_doses_are_those_of_the_last_beat(empty_record: Callable[..., Any]) -> None:
    record = empty_record()
    record.add("torch", 0.0, last_values={"frames": 48_000.0, "loss": 1.0})
    doses = document.build(record)["trials"][0]["doses"]
    assert doses == {"frames": 48_000.0, "stream_seconds": pytest.approx(32 * 59.75)}


def test_what_is_unknown_is_null(leaky: Any) -> None:
    later = document.build(leaky)["trials"][2]
    unknown = ("verdict", "leak_probability", "rate", "minimum_detectable_rate", "seconds", "frames_per_second")
    assert [later[name] for name in unknown] == [None] * 6
    assert later["doses"] == {}


def test_blocks_put_the_frameworks_side_by_side(leaky: Any) -> None:
    found = document.build(leaky)["blocks"]
    assert {block["block"]: block["trials"] for block in found} == {"b1": [1, 0], "b2": [2]}


def test_blocks_that_are_alike_say_what_tells_them_apart(empty_record: Callable[..., Any]) -> None:
    record = empty_record()
    for block, side in (("small", 32), ("large", 256)):
        settings = {"stream": {"height": side, "fps": 25.0}, "threads": 1}
        for framework in ("torch", "tensorflow"):
            record.add(framework, 0.0, block=block, settings=settings)
    body = document.build(record)
    titles = [(block["title"], block["trials"]) for block in body["blocks"]]
    short = "recurrent infer, seed 1, stream.height"
    assert titles == [(f"{short} 256", [3, 2]), (f"{short} 32", [1, 0])]
    assert f"<h3>{short} 256</h3>" in catalog.load("html").render(body, record)


def test_blocks_of_other_members_say_who_they_are(empty_record: Callable[..., Any]) -> None:
    """And not each setting of each member, of which another block has none."""
    record = empty_record()
    members = [{"name": f"rank {n} of 2", "order": {"threads": 1, "options": {"hidden": 8}}} for n in (0, 1)]
    wider = [{"name": f"rank {n} of 2", "order": {"threads": 1, "options": {"hidden": 9}}} for n in (0, 1)]
    for block, settings in (("single", {"threads": 1}), ("ranks", {"members": members}), ("wide", {"members": wider})):
        record.add("torch", 0.0, block=block, settings=settings)
    titles = {block["block"]: block["title"] for block in document.build(record)["blocks"]}
    short = "recurrent infer, seed 1"
    hidden = "rank 0 of 2.order.options.hidden {0}, rank 1 of 2.order.options.hidden {0}"
    assert titles == {
        "single": f"{short}, threads 1",
        "ranks": f"{short}, members rank 0 of 2, rank 1 of 2, {hidden.format(8)}",
        "wide": f"{short}, members rank 0 of 2, rank 1 of 2, {hidden.format(9)}",
    }


def test_an_unfinished_run_says_so(empty_record: Callable[..., Any]) -> None:
    record = empty_record(verdict=None, ended=None, reason="")
    record.add("torch", 1.0)
    body = document.build(record)
    assert body["run"]["unfinished"] is True
    assert body["run"]["headline"].startswith("Unfinished: ")
    assert "recurrent-torch leaked" in body["run"]["headline"]
    assert "; 1 of 1 trials have ended so far;" in body["run"]["headline"]
    assert "This run is unfinished" in catalog.load("html").render(body, record)


def test_a_trial_that_runs_has_not_ended_though_it_is_judged_so_far(empty_record: Callable[..., Any]) -> None:
    record = empty_record(verdict=None, ended=None, reason="")
    record.add("torch", 1.0, end_reason="")
    assert "0 of 1 trials have ended so far" in document.build(record)["run"]["headline"]


class Page(HTMLParser):
    """Tags that could fetch or run something, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.policy = ""
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag == "script":
            self.scripts.append(dict(attrs).get("type") or "")
        if dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"] or ""

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_escaped_and_fetches_nothing(leaky: Any) -> None:
    body = document.build(leaky)
    page = Page(catalog.load("html").render(body, leaky))
    assert page.scripts == ["application/json"] * (2 * 3 + 1) + [""], "data, and one script: ours"
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert "<script>alert(1)</script>" in page.text, "shown, not run"
    assert "default-src 'none'" in page.policy
    assert "script-src 'sha256-" in page.policy
    assert "<b>x</b>" in page.text
    assert 'File "x.py" <module>' in page.text
    assert body["run"]["headline"] in page.text
    assert page.tags.count("figure") == 2 * 3
    assert "uncalibrated" in page.text


def test_the_page_says_what_to_do_next(leaky: Any) -> None:
    body = document.build(leaky)
    steps = advice.next_steps(body["trials"])
    assert [name for name, _ in steps] == ["host_heap", "unstable"]
    assert f"<strong>Next (host_heap):</strong> {steps[0][1]}" in catalog.load("html").render(body, leaky)


@pytest.mark.parametrize(
    ("trials", "names"),
    [
        ([("pass", None, None)], ["pass"]),
        ([("pass", None, None), ("leak", "fds", None)], ["fds"]),
        ([("leak", "fds", True), ("inconclusive", None, None)], ["inconclusive"]),
        ([("leak", "gpu_process", None), ("leak", "mmap", None)], ["gpu_process", "mmap"]),
        ([(None, None, None)], []),
    ],
)
def test_every_verdict_has_its_next_step(trials: list[tuple[Any, Any, Any]], names: list[str]) -> None:
    told = [
        {
            "verdict": verdict,
            "layer": layer,
            "control": None if passed is None else {"passed": passed},
            "confirms": "",
        }
        for verdict, layer, passed in trials
    ]
    assert [name for name, _ in advice.next_steps(told)] == names


def test_one_trial_that_passes_is_spoken_of_as_one(calm: Any) -> None:
    alone = document.build(calm)["trials"][:1]
    limit = format_rate(alone[0]["minimum_detectable_rate"]["per_hour"], "bytes")
    said = headline.of_run("pass", "no leak in a", False, alone)
    assert said == f"Pass: no leak in a (detectable above {limit})."
    beside = headline.of_run("pass", "no leak in a; 1 control as expected (leaked on purpose)", False, alone)
    assert beside == f"Pass: no leak in a (detectable above {limit}); 1 control as expected (leaked on purpose)."


def test_one_trial_that_cannot_be_judged_says_why(empty_record: Callable[..., Any]) -> None:
    """`it is inconclusive` alone is no answer."""
    record = empty_record(verdict="inconclusive", reason="recurrent-torch is inconclusive")
    record.add("torch", 0.0, verdict="inconclusive", reason="interrupted before its end")
    said = "Inconclusive: recurrent-torch is inconclusive: interrupted before its end."
    assert document.build(record)["run"]["headline"] == said
    record.add("torch", 1.0, expect="leak", control_passed=True)
    assert document.build(record)["run"]["headline"] == said, "a control is not what was to be judged"
    record.add("tensorflow", 0.0, verdict="inconclusive", reason="too short")
    assert document.build(record)["run"]["headline"] == "Inconclusive: recurrent-torch is inconclusive."


def test_leaking_layers_come_first(leaky: Any) -> None:
    html = catalog.load("html").render(document.build(leaky), leaky)
    assert html.index("host_heap</b>") < html.index("anonymous</b>")


def test_markdown_holds_verdicts_and_breaks_no_table(leaky: Any) -> None:
    text = catalog.load("markdown").render(document.build(leaky), leaky)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 3
    assert {row.replace("\\|", "").count("|") for row in rows} == {7}
    assert "**leak**" in text
    assert "\\<script\\>" in text


def test_junit_counts_what_failed(leaky: Any) -> None:
    suite = ElementTree.fromstring(catalog.load("junit").render(document.build(leaky), leaky))
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3", "failures": "2", "errors": "0", "skipped": "1",
    }  # fmt: skip
    outcomes = [[child.tag for child in case if child.tag != "properties"] for case in suite.iter("testcase")]
    assert outcomes == [["failure"], ["failure"], ["skipped"]]
    assert float(suite.get("time", "nan")) == pytest.approx(
        sum(float(c.get("time", "nan")) for c in suite.iter("testcase"))
    )
    numbers = {each.get("name"): each.get("value") for each in next(suite.iter("testcase")).iter("property")}
    assert numbers["verdict"] == "leak"
    assert float(numbers["leak_probability"] or "nan") == leaky.trials()[0].judgement.leak_probability
    assert {each.get("name") for each in suite.findall("properties/property")} >= {"run", "verdict", "soak"}


@pytest.mark.parametrize(("passed", "failures"), [(True, "0"), (False, "1")])
def test_a_control_passes_junit_if_it_was_judged_right(
    empty_record: Callable[..., Any], passed: bool, failures: str
) -> None:
    record = empty_record()
    record.add("torch", 1.0, expect="leak", control_passed=passed)
    suite = ElementTree.fromstring(catalog.load("junit").render(document.build(record), record))
    assert suite.get("failures") == failures


@pytest.mark.parametrize(("started", "said"), [(1.7e9, "2023-11-14T22:13:20"), (1e18, None), (-1e18, None)])
def test_a_run_that_began_at_no_time_has_all_its_reports(
    empty_record: Callable[..., Any], started: float, said: str | None
) -> None:
    record = empty_record(started=started)
    record.add("torch", 0.0)
    body = document.build(record)
    rendered = {name: catalog.load(name).render(body, record) for name in ("html", "json", "junit", "markdown")}
    assert ElementTree.fromstring(rendered["junit"]).get("timestamp") == said


def test_a_control_that_was_not_run_is_judged_nothing(empty_record: Callable[..., Any]) -> None:
    record = empty_record()
    record.add("torch", 1.0, expect="leak")
    record.trial_infos[0] = replace(record.trial_infos[0], judgement=None, started=None, seconds=None)
    (skipped,) = ElementTree.fromstring(catalog.load("junit").render(document.build(record), record)).iter("skipped")
    assert skipped.get("message") == "it was not run"


def test_a_leak_of_unknown_rate_and_layer_is_on_the_first_screen(empty_record: Callable[..., Any]) -> None:
    """As a detector of somebody else may find one."""
    record = empty_record(verdict="leak", reason="it leaks")
    found = record.add("torch", 1.0, layer=None)
    bare = tuple(replace(f, layer=None, rate_per_hour=None, rate_per_hour_ci95=None) for f in found.judgement.findings)
    record.trial_infos[0] = replace(found, judgement=replace(found.judgement, findings=bare))
    html = catalog.load("html").render(document.build(record), record)
    first = html[html.index("</h1>") : html.index('<h2 id="trials">')]
    assert '<dl class="facts leak"' in first
    assert "&gt; 0.99" in first
    assert "<strong>Next (leak):</strong>" in first
    assert "soak diagnose" in first
    assert 'href="#really"' not in html, "there is nothing to ask of it"


def test_in_a_pipe_no_sentence_is_wrapped(leaky: Any) -> None:
    out = io.StringIO()
    terminal.print_summary(document.build(leaky), Console(file=out, width=80), [])
    said = "Some series are unlike any that the probabilities were calibrated on: use those only to rank trials."
    assert said in out.getvalue().splitlines()


def test_the_terminal_shows_every_trial_and_the_files(leaky: Any) -> None:
    console = Console(width=160, record=True, file=io.StringIO())
    terminal.print_summary(document.build(leaky), console, [Path("runs/x/report.html")])
    text = console.export_text()
    for said in ("recurrent-torch", "unstable (hung)", "not run", "Leak: 1 trial of 3", "runs/x/report.html"):
        assert said in text


def test_a_long_record_makes_a_small_page(empty_record: Callable[..., Any]) -> None:
    record = empty_record()
    record.add("torch", 0.0)
    t = np.arange(259_200.0)
    spec = record.by_trial[0][0].metric
    record.by_trial[0] = [Series(spec, "", t, 3e8 + 1e6 * np.random.default_rng(0).normal(size=len(t)))]
    page = catalog.load("html").render(document.build(record), record)
    assert len(page) - len(charts.script()) - len(charts.style()) < 100_000, "what draws it is the same for any record"


def test_who_holds_what_leaks_is_told_in_every_format(
    schema: jsonschema.Draft202012Validator, empty_record: Callable[..., Any]
) -> None:
    record = empty_record(verdict="leak", reason="1 trial of 2 leaked")
    said = "2,000 objects of `torch.Tensor` (64×64 float32) an hour, held by a list named `<history>` in `train.py`"
    kept = Grown("tensors", "torch.Tensor (64×64 float32)", 2000.0, 1.0, 2000 * 16384.0, "a list")
    record.add("torch", 1.0, cause=said, causes=(kept,))
    record.add("tensorflow", 0.0)
    record.told += [Event(30.0, "census", "", 0, 0.0, {"types": {"dict": 1}}), Event(31.0, "gap", "x", 0, 0.0)]
    body = document.build(record)
    schema.validate(json.loads(catalog.load("json").render(body, record)))
    assert (body["trials"][0]["cause"], body["trials"][1]["cause"]) == (said, "")
    assert body["trials"][0]["causes"][0]["per_hour"] == 2000.0
    assert [event["kind"] for event in body["events"]] == ["gap"], "a census is for the judge"
    assert "held by a list named `&lt;history&gt;` in" in catalog.load("html").render(body, record)
    assert "an hour, held by a list named" in catalog.load("markdown").render(body, record)
    case = next(ElementTree.fromstring(catalog.load("junit").render(body, record)).iter("failure"))
    assert str(case.get("message")).endswith(said)
    out = io.StringIO()
    terminal.print_summary(body, Console(file=out, width=200), ())
    assert f"recurrent-torch: {said}" in out.getvalue()


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [(["leak"], "1 of 1 trace leaks"), (["leak", "leak"], "2 of 2 traces leak"), (["pass"], "0 of 1 trace leak")],
)
def test_the_page_of_an_analysis_counts_its_leaks(verdicts: list[str], said: str) -> None:
    bare = {"source": "x", "reason": "r", "series": [], "notes": [], "ignored": []}
    page = analysis_page.page([analysis_page.AnalysisShown({**bare, "verdict": each}, []) for each in verdicts])
    assert f"<title>soak analyze: {said}</title>" in page


def test_a_run_of_one_trial_says_why_it_is_inconclusive() -> None:
    trial = {"name": "a", "verdict": "inconclusive", "reason": "too few samples", "control": None, "confirms": ""}
    said = headline.of_run("inconclusive", "a is inconclusive", False, [trial])
    assert said == "Inconclusive: a is inconclusive: too few samples."


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ([], None),
        ([{"difference": 2e-7, "tolerance": 2e-5}], {"difference": 2e-7, "tolerance": 2e-5}),
        (
            [{"difference": 2e-7, "tolerance": 2e-5}, {"difference": 0.5, "tolerance": 2e-5, "member": "rank 1"}],
            {"difference": 0.5, "tolerance": 2e-5},
        ),
        ([{"difference": 0.5, "tolerance": 0.1}, {"tolerance": 2e-5}], {"difference": None, "tolerance": 2e-5}),
        ([{"difference": "near"}], None),
    ],
)
def test_the_answer_that_is_the_farthest_off_is_told(
    empty_record: Callable[..., Any], schema: jsonschema.Draft202012Validator, told: list[Any], answer: Any
) -> None:
    record = empty_record()
    record.add("train", 0.0)
    record.told.extend(Event(1.0, "answer", "…", 0, 5.0, data) for data in told)
    body = document.build(record)
    assert body["trials"][0]["answer"] == answer
    schema.validate(json.loads(json.dumps(body)))
