"""Pages, metrics and API of a real state, without a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock

import bcrypt
import jsonschema
import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from starlette.testclient import TestClient

from monitors.catalog import all_specs
from monitors.round import Health
from soak.engine.status import LastValue, TrialStatus
from soak.judge.outlook import BriefFinding, Outlook
from soak.record.store import FILE, Store
from soak.runs import messages
from soak.service import metrics
from soak.service.admission import Admission
from soak.service.archive import Archive
from soak.service.config import ScheduleTable
from soak.service.history import History
from soak.service.state import Now, ServiceState, Waiting
from soak.service.web import Site
from workloads.protocol import wire

RUN = "night-20260101T000000Z"
OUTLOOK = Outlook(
    "leak", "host_heap: <b>growth</b>", 0.97, "host_heap",
    (BriefFinding("host_heap_bytes", "host_heap", "bytes", 0.97, 3600.0, (1800.0, 7200.0), 360.0, 5.0),),
)  # fmt: skip
TRIAL = TrialStatus(
    "leaky-torch", "fault_native_heap", "torch", "infer", "cpu", False, "stepping", 30.0, 0.5, 30.0, 1e6, None, 0.5,
    tuple(LastValue(*told) for told in (
        ("host_heap_bytes", 5e7), ("steps", 100.0), ("tester_rss_bytes", 3e7), ("fds", 9.0),
    )),
    (*(50.0 for _ in wire.LATENCY_BOUNDS), 100.0, 2.5), {"host": Health("failed", 0.01, 9, 2, None)}, OUTLOOK,
    ("host_heap_bytes",),
)  # fmt: skip


class Stage:
    """A site with one run under way and one in the archive."""

    def __init__(self, folder: Path) -> None:
        layers = metrics.layers_of(all_specs())
        self.state, self.archive, self.history = ServiceState(layers), Archive(folder / "runs"), History(folder)
        self.schedules = (
            ScheduleTable("night", "n.toml", cron="0 3 * * *"),
            ScheduleTable("day", "d.toml", every=None),
        )
        self.unready = ""
        self.wall = 1000.0
        self.collector = metrics.StateCollector(
            self.state, self.history, self.nexts, lambda: ["night", "day"], lambda: self.wall
        )
        registry = metrics.registry_of(self.collector)
        self.site = Site(self.state, self.archive, self.history, registry, layers, lambda: self.schedules, self.nexts,
                         lambda: self.unready)  # fmt: skip
        folder = self.archive.folder / RUN
        folder.mkdir(parents=True)
        with Store.create(folder / FILE) as store:
            for key, value in {"started": 5.0, "ended": 9.0, "verdict": "pass", "reason": "fine"}.items():
                store.put_meta(key, value)
        (folder / "report.html").write_text("<p>report")
        (folder / "report.json").write_text('{"schema": "soak.report/1"}')

    def nexts(self) -> dict[str, float]:
        return {"night": 2000.0}

    def runs(self, *trials: TrialStatus) -> Now:
        now = self.state.now["night"] = Now("night", "cpu", MagicMock(), 900.0, 1000.0)
        self.state.on_message(now, messages.RunBegun("night-20260102T000000Z", 2), 1000.0)
        self.state.on_message(now, messages.Tick(trials, 1), 1000.0)
        self.state.on_message(now, messages.Tick(trials, 1), 1000.0)
        return now


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def client(stage: Stage) -> Iterator[TestClient]:
    with TestClient(stage.site.app(None), raise_server_exceptions=False) as client:
        yield client


def values(text: str) -> dict[tuple[str, str], float]:
    """By name, and the label that tells most."""
    told = ("layer", "verdict", "sampler", "schedule", "device")
    found = {}
    for family in plain(text):
        for sample in family.samples:
            label = next((sample.labels[name] for name in told if name in sample.labels), "")
            found[sample.name, label] = sample.value
    return found


def test_what_runs_is_told_in_full(stage: Stage, client: TestClient) -> None:
    stage.runs(TRIAL)
    found = values(client.get("/metrics").text)
    heap = next(s for f in plain(client.get("/metrics").text) for s in f.samples if s.name == "soak_memory_bytes")
    assert heap.value == 5e7
    assert heap.labels == {
        "schedule": "night", "trial": "leaky-torch", "workload": "fault_native_heap", "framework": "torch",
        "mode": "infer", "device": "cpu", "control": "no", "member": "", "layer": "host_heap",
    }  # fmt: skip
    assert found["soak_leak_probability_ratio", "night"] == 0.97
    assert found["soak_leak_rate_bytes_per_second", "host_heap"] == 1.0
    assert found["soak_leak_rate_low_bytes_per_second", "host_heap"] == 0.5
    assert found["soak_leak_rate_high_bytes_per_second", "host_heap"] == 2.0
    assert found["soak_minimum_detectable_rate_bytes_per_second", "host_heap"] == 0.1
    assert found["soak_time_to_exhaustion_seconds", "night"] == 5 * 3600
    assert found["soak_alarm_raised", "night"] == 1
    assert found["soak_steps_total", "night"] == 100
    assert found["soak_step_latency_seconds_count", "night"] == 100
    assert found["soak_step_latency_seconds_sum", "night"] == 2.5
    assert found["soak_sampler_success", "host"] == 0
    assert found["soak_sampler_failures_total", "host"] == 2
    assert found["soak_tester_rss_bytes", ""] == 3e7
    assert found["soak_fresh", ""] == 1
    stage.wall = 2000.0
    assert stage.state.stale(stage.wall)


def test_a_trial_that_ends_leaves_no_series_but_its_verdict(stage: Stage, client: TestClient) -> None:
    now = stage.runs(TRIAL)
    stage.state.on_message(now, messages.Tick((), 0), 1001.0)
    stage.state.on_message(
        now, messages.TrialJudged("leaky-torch", "w", "torch", "infer", "cpu", False, OUTLOOK), 1001.0
    )
    stage.state.on_message(now, messages.RunConcluded("invalid", "a control failed"), 1001.0)
    stage.state.finished(now, "invalid")
    text = client.get("/metrics").text
    assert "soak_memory_bytes{" not in text
    assert "soak_trial_state{" not in text
    found = values(text)
    assert found["soak_control_passed", "night"] == 0
    assert 'soak_runs_total{schedule="night",verdict="invalid"} 1.0' in text
    assert 'soak_trials_total{schedule="night",verdict="leak"} 1.0' in text
    assert found["soak_sampler_failures_total", "host"] == 2, "counted on after its trial is gone"


def test_openmetrics_is_spoken_when_asked_for(stage: Stage, client: TestClient) -> None:
    stage.runs(TRIAL)
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    names = {family.name for family in openmetrics(answer.text)}
    assert {"soak_memory_bytes", "soak_runs", "soak_build", "process_resident_memory_bytes"} <= names


def test_an_alarm_counts_once(stage: Stage, client: TestClient) -> None:
    stage.runs(TRIAL)
    assert 'soak_alarms_total{schedule="night"} 1.0' in client.get("/metrics").text


def test_labels_are_bounded(stage: Stage, client: TestClient) -> None:
    stage.runs(TRIAL)
    for family in plain(client.get("/metrics").text):
        for sample in family.samples:
            assert not {"pid", "time", "seed"} & sample.labels.keys()
            assert "run" not in sample.labels or sample.name == "soak_run_info"


def test_healthy_is_the_process_and_ready_the_schedule(stage: Stage, client: TestClient) -> None:
    assert client.get("/-/healthy").status_code == 200
    assert client.get("/-/ready").status_code == 200
    stage.unready = "the scheduler is not running"
    assert client.get("/-/healthy").status_code == 200
    assert client.get("/-/ready").status_code == 503


def test_every_answer_of_the_api_is_as_described(stage: Stage, client: TestClient) -> None:
    stage.runs(TRIAL)
    stage.state.waiting.append(Waiting("day", "cpu", 990.0, 990.0, "the disk is full"))
    document = client.get("/api/v1/openapi.json").json()
    for path, methods in document["paths"].items():
        schema = methods["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        answer = client.get(path.replace("{run}", RUN))
        assert answer.status_code == 200
        jsonschema.validate(answer.json(), {**schema, "components": document["components"]})
    running = client.get("/api/v1/status").json()["running"][0]
    assert running["running"][0]["memory"] == {"host_heap": 5e7}
    assert client.get("/api/v1/curves").json() == {"night": {"leaky-torch": {"host_heap": [[30.0, 5e7], [30.0, 5e7]]}}}


def test_runs_can_be_chosen(client: TestClient) -> None:
    assert [run["id"] for run in client.get("/api/v1/runs?schedule=night&limit=1").json()] == [RUN]
    assert client.get("/api/v1/runs?schedule=none").json() == []
    for limit in ("0", "-1", "x", "1001", "9" * 5000, "²"):
        answer = client.get("/api/v1/runs", params={"limit": limit})
        assert answer.status_code == 400
        assert "expected a number from 1 to 1000" in answer.json()["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/reports/../../etc/passwd", "/reports/%2e%2e/%2e%2e/etc/passwd", f"/reports/{RUN}/record.sqlite",
        f"/reports/{RUN}/..%2f..%2fhistory.json", "/reports/none/report.html", f"/reports/{RUN}/report.md",
        "/api/v1/runs/none", "/api/v1/runs/..%2f..", "/static/../web.py", "/static/%2e%2e/web.py", "/nothing",
    ],
)  # fmt: skip
def test_nothing_else_is_given_out(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_it_is_read_only(client: TestClient) -> None:
    for path in ("/", "/metrics", "/api/v1/status", f"/reports/{RUN}/"):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert client.request(method, path).status_code == 405


def test_pages_say_what_there_is_and_escape_it(stage: Stage, client: TestClient) -> None:
    stage.runs(TRIAL)
    page = client.get("/")
    assert "leaky-torch" in page.text
    assert "&lt;b&gt;growth&lt;/b&gt;" in page.text
    assert "<b>growth</b>" not in page.text
    assert '<path class="line"' in page.text
    assert RUN in client.get("/reports/").text
    report = client.get(f"/reports/{RUN}/")
    assert report.text == "<p>report"
    allowed = report.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "sandbox allow-scripts"} <= set(allowed), "its script draws, and reaches nothing here"
    assert page.headers["x-content-type-options"] == "nosniff"


def test_without_credentials_there_is_nothing_but_401(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users: {{ann: {bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}}}")
    with TestClient(stage.site.app(Admission(path))) as client:
        for asked in (
            "/",
            "/metrics",
            "/-/healthy",
            "/api/v1/status",
            "/static/style.css",
            "/nothing",
            "/reports/../x",
        ):
            answer = client.get(asked)
            assert answer.status_code == 401
            assert answer.text == "Unauthorized\n"
            assert client.get(asked, auth=("ann", "wrong")).status_code == 401
        assert client.get("/metrics", auth=("ann", "secret")).status_code == 200


def test_the_textfile_is_what_a_scrape_is(stage: Stage, tmp_path: Path, client: TestClient) -> None:
    stage.runs(TRIAL)
    path = tmp_path / "soak.prom"
    metrics.write_textfile(stage.collector, str(path))
    names = {family.name for family in plain(path.read_text())}
    assert {"soak_memory_bytes", "soak_up"} <= names
    assert not any(name.startswith(("process_", "python_")) for name in names), "node_exporter tells its own"
    assert path.stat().st_mode & 0o004


def test_json_is_json(client: TestClient) -> None:
    assert json.loads(client.get(f"/api/v1/runs/{RUN}/report").text) == {"schema": "soak.report/1"}


def several(*apart: tuple[str, str]) -> TrialStatus:
    """A trial that tells every metric of each of these, and the sums, and what is thought of it."""
    told = [
        LastValue(name, 1.0 + place, member, device, "thermal" if name == "gpu_throttled" else "")
        for name in all_specs()
        for place, (member, device) in enumerate((*apart, ("", "")))
    ]
    found = [
        BriefFinding("s", layer, "bytes", 0.5, 3600.0, (0.0, 7200.0), 360.0, 5.0, member, device)
        for layer in ("anonymous", "gpu_process")
        for member, device in (*apart, ("", ""))
    ]
    outlook = Outlook("leak", "r", 0.97, "anonymous", tuple(found), apart[0][0], apart[0][1], "python3 x.py")
    return msgspec.structs.replace(TRIAL, device="cuda:0", samples=tuple(told), outlook=outlook)


@pytest.mark.parametrize(
    "apart",
    [
        (("", "cuda:0"), ("", "cuda:1")),
        (("rank 0", ""), ("rank 1", "")),
        (("rank 0", "cuda:0"), ("rank 1", "cuda:1")),
        (("server", "cuda:0"), ("client", "")),
    ],
)
def test_no_series_is_told_twice_whatever_a_trial_is_made_of(
    stage: Stage, client: TestClient, apart: tuple[tuple[str, str], ...]
) -> None:
    stage.runs(several(*apart))
    lines = [line.rpartition(" ")[0] for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
    assert len(lines) == len(set(lines)), [line for line in set(lines) if lines.count(line) > 1]
    assert not any("x.py" in line for line in lines), "no text of a stranger is a label"


def test_the_status_page_shows_no_framework_of_a_command(stage: Stage, client: TestClient) -> None:
    stage.runs(msgspec.structs.replace(TRIAL, framework="none", mode="command"))
    assert '<p class="small">command · stepping' in client.get("/").text


@pytest.mark.parametrize("apart", [(("", "cuda:0"), ("", "cuda:1")), (("rank 0", ""), ("rank 1", ""))])
def test_rates_of_members_or_devices_sum_to_that_of_the_trial(
    stage: Stage, client: TestClient, apart: tuple[tuple[str, str], ...]
) -> None:
    stage.runs(several(*apart))
    told = [sample for family in plain(client.get("/metrics").text) for sample in family.samples]
    for name in ("leak_rate", "leak_rate_low", "leak_rate_high", "minimum_detectable_rate"):
        rates = [s for s in told if s.name == f"soak_{name}_bytes_per_second" and s.labels["layer"] == "anonymous"]
        assert len(rates) == 2, f"{name}: of each, and not of all together"
    spent = [s for s in told if s.name == "soak_time_to_exhaustion_seconds" and s.labels["limit"] == "anonymous"]
    assert len(spent) == 3, "members may use up together what one of them would not"


def test_memory_of_members_and_devices_sums_to_that_of_the_trial(stage: Stage, client: TestClient) -> None:
    stage.runs(several(("rank 0", "cuda:0"), ("rank 1", "cuda:1")))
    memory = [
        sample
        for family in plain(client.get("/metrics").text)
        for sample in family.samples
        if sample.name == "soak_memory_bytes" and sample.labels["layer"] == "gpu_process"
    ]
    assert {(s.labels["member"], s.labels["device"]): s.value for s in memory} == {
        ("rank 0", "cuda:0"): 1.0,
        ("rank 1", "cuda:1"): 2.0,
    }, "and not their sum, which would count twice"


def test_the_api_tells_each_member_and_whose_the_leak_is(stage: Stage, client: TestClient) -> None:
    stage.runs(several(("rank 0", ""), ("rank 1", "")))
    (trial,) = client.get("/api/v1/status").json()["running"][0]["running"]
    assert trial["memory"]["anonymous"] == 3.0, "the sum that the trial tells"
    assert (trial["members"]["rank 0"]["anonymous"], trial["members"]["rank 1"]["anonymous"]) == (1.0, 2.0)
    assert trial["held_by"] == {"member": "rank 0", "device": "", "process": "python3 x.py"}
    points = client.get("/api/v1/curves").json()["night"]["leaky-torch"]["anonymous"]
    assert {value for _, value in points} == {3.0}
