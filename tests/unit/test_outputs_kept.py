"""What others read stays as it is, byte for byte: the judgement in a record, report.json, the API, the metrics.

`tests/fixtures/outputs` holds what these are for one record and one running trial that never change.
"""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from monitors.catalog import all_specs
from monitors.judgement import Judgement
from monitors.model import Event, Sample
from monitors.round import Health
from reports import catalog, document
from soak.engine.clock import SystemClock
from soak.engine.status import LastValues, TrialStatus, latency_of
from soak.judge.outlook import outlook_of
from soak.judge.verdict import Verdict
from soak.plan.config import load
from soak.plan.plan import Trial, make_plan
from soak.record import arrow
from soak.record.reader import open_record
from soak.record.store import FILE, Store
from soak.runs import messages
from soak.service import api, metrics
from soak.service.config import ScheduleTable
from soak.service.history import History
from soak.service.state import Now, ServiceState
from workloads.protocol import wire

KEPT = Path(__file__).parent.parent / "fixtures" / "outputs"
FACTS = {
    "run_id": "r-1", "name": "r", "soak_version": "0", "command": "soak run r.toml", "config_path": "r.toml",
    "config_text": "[run]\n", "seed": 1, "started": 5.0, "environment": {"cpu": "x"}, "judge": {"min_rate": 1048576.0},
    "verdict": "leak", "reason": "1 trial of 3 leaked: ranks", "ended": 400.0,
}  # fmt: skip
TRIAL: dict[str, Any] = {
    "workload": "w", "framework": "torch", "mode": "infer", "execution": "eager", "seed": 1, "block": "b", "arm": "a",
    "state": "ended", "started": 5.0, "seconds": 60.0, "end_reason": "finished", "device": "cuda:0",
}  # fmt: skip
FINDING: dict[str, Any] = {
    "detector": "trend", "series": 'anonymous_bytes{member="rank 1"}', "layer": "anonymous", "unit": "bytes",
    "verdict": "leak", "leak_probability": 0.97, "calibrated": True, "rate_per_hour": 3.6e9,
    "rate_per_hour_ci95": [3.5e9, 3.7e9], "rate_per_step": 1e6, "minimum_detectable_rate_per_hour": 1.5e6,
    "shape": "linear", "reason": "grows by 1 MB/s — steadily", "samples": 60, "gaps": 1, "growth": 6e7,
    "judged_from": 5.0, "onset": None, "noise": 4096.0, "evidence": 25.5, "traits": {"log_samples": 4.1},
    "rate_per_step_ci95": [9e5, 1.1e6], "rate_per_dose": {"frames": {"rate": 1e5, "ci95": [9e4, 1.1e5]}},
    "unseen_seconds": 0.0, "restarts": 0, "hours_to_exhaustion": 2.5, "hours_to_exhaustion_ci95": [2.0, None],
    "member": "rank 1", "device": "", "process": "loader --shard 3",
}  # fmt: skip
UNSURE = {
    **FINDING, "series": "anonymous_bytes", "verdict": "inconclusive", "leak_probability": None, "calibrated": False,
    "rate_per_hour": None, "rate_per_hour_ci95": None, "rate_per_step": None, "rate_per_step_ci95": None,
    "minimum_detectable_rate_per_hour": None, "shape": "unknown", "rate_per_dose": {}, "hours_to_exhaustion": None,
    "hours_to_exhaustion_ci95": None, "member": "", "process": "",
}  # fmt: skip
JUDGEMENT: dict[str, Any] = {
    "verdict": "leak", "reason": "rank 1: anonymous: grows", "leak_probability": 0.98, "calibrated": True,
    "layer": "anonymous", "member": "rank 1", "leak_device": "", "process": "loader --shard 3", "control_passed": None,
    "findings": [FINDING, UNSURE], "cause": "60 objects of `T` an hour",
    "causes": [
        {"group": "types", "name": "T", "per_hour": 60.0, "per_step": None, "bytes_per_hour": 3600.0, "held_by": ""}
    ],
}  # fmt: skip
CONTROL: dict[str, Any] = {
    "verdict": "pass", "reason": "flat", "leak_probability": 0.01, "calibrated": False, "layer": None, "member": "",
    "leak_device": "", "process": "", "control_passed": True, "findings": [], "cause": "", "causes": [],
}  # fmt: skip
CONFIG = """
[run]
duration = "1 min"
[[trial]]
workload = "fault_native_heap"
framework = "torch"
expect = "leak"
"""


def kept(name: str, text: str) -> None:
    assert text == (KEPT / name).read_text(encoding="utf-8")


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run of three trials: a leak in one of two members, a control that passed, and one that was never judged."""
    specs = all_specs()
    with Store.create(tmp_path / FILE) as store:
        for key, value in FACTS.items():
            store.put_meta(key, value)
        store.put_trial(0, "ranks", {**TRIAL, "index": 0, "name": "ranks"})
        store.put_trial(1, "flat", {**TRIAL, "index": 1, "name": "flat", "expect": "pass"})
        store.put_trial(2, "late", {**TRIAL, "index": 2, "name": "late", "state": "planned", "started": None})
        for t in range(8):
            of_one = [Sample(specs["anonymous_bytes"], 1e8 + t * 1024.0, "", f"rank {n}") for n in (0, 1)]
            whole = [Sample(specs["anonymous_bytes"], 2e8 + t), Sample(specs["steps"], 10.0 * t)]
            store.add_round(0, float(t), [*of_one, *whole])
            store.add_round(1, float(t), whole)
        store.add_event(Event(3.0, "gap", "something", 0, 8.0, {"sampler": "host"}))
        put_judgements(store)
    return tmp_path


def put_judgements(store: Store) -> None:
    store.put_judgement(0, msgspec.convert(JUDGEMENT, Judgement))
    store.put_judgement(1, msgspec.convert(CONTROL, Judgement))


def test_a_judgement_in_the_record(run_folder: Path) -> None:
    db = sqlite3.connect(run_folder / FILE)
    rows = db.execute("SELECT id, body FROM judgement ORDER BY id").fetchall()
    db.close()
    kept("judgements.txt", "".join(f"{trial} {body}\n" for trial, body in rows))


def test_report_json(run_folder: Path) -> None:
    record = open_record(run_folder)
    kept("report.json", catalog.load("json").render(document.build(record), record))


def test_the_table_of_verdicts_that_is_exported(run_folder: Path) -> None:
    rows = arrow.verdicts(open_record(run_folder)).to_pylist()
    kept("verdicts.json", json.dumps(rows, indent=1, default=str) + "\n")


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    path = tmp_path / "c.toml"
    path.write_text(CONFIG)
    return make_plan(load(path))[0]


def running(trial: Trial) -> TrialStatus:
    specs = all_specs()
    counters = {"steps": 7.0, "step_latency_total_seconds": 0.7, wire.bucket(0.1): 5.0, wire.bucket(10.0): 7.0}
    samples = (
        Sample(specs["anonymous_bytes"], 5e7, "", "rank 0"), Sample(specs["anonymous_bytes"], 6e7, "", "rank 1"),
        Sample(specs["anonymous_bytes"], 1.1e8), Sample(specs["fds"], 9.0), Sample(specs["steps"], 7.0),
    )  # fmt: skip
    return TrialStatus(
        trial.name, "fault_native_heap", "torch", "infer", trial.place, True, "stepping", 12.0, 0.2, 48.0, 1e6, 1.1e8,
        0.5, LastValues().of(samples), latency_of(counters), {"process_memory": Health("failed", 0.001, 12, 2, 11.0)},
        outlook_of(msgspec.convert(JUDGEMENT, Judgement)), ('anonymous_bytes{member="rank 1"}',), 3.0, 25.0,
    )  # fmt: skip


@pytest.fixture
def state(trial: Trial, tmp_path: Path) -> ServiceState:
    """A service that has read what one run told through its pipe."""
    read, write = os.pipe()
    told = messages.Broadcast(write, SystemClock(), lambda: None)
    told.begun(tmp_path / "night-20260102T000000Z", [trial])
    told.tick(lambda: [running(trial)], 1)
    told.noted("look here")
    told.judged(trial, msgspec.convert({**JUDGEMENT, "control_passed": True}, Judgement))
    told.concluded(Verdict("leak", "1 trial leaked"))
    os.close(write)
    with os.fdopen(read, "rb") as lines:
        received = [messages.decode(line) for line in lines]
    state = ServiceState(metrics.layers_of(all_specs()))
    now = state.now["night"] = Now("night", "cuda:0", MagicMock(), 900.0, 1000.0)
    for message in received:
        state.on_message(now, message, 1000.0)
    state.last["night"] = now.judged
    return state


def test_the_answer_of_the_api(state: ServiceState, tmp_path: Path) -> None:
    schedules = [ScheduleTable("night", "n.toml", cron="0 3 * * *")]
    layers = metrics.layers_of(all_specs())
    said = api.status(state, History(tmp_path), schedules, {"night": 2000.0}, [], layers, 1001.0, 1001.0)
    body = msgspec.to_builtins(said) | {"version": "0"}
    kept("status.json", json.dumps(body, indent=1) + "\n")


def test_the_metrics_of_trials(state: ServiceState, tmp_path: Path) -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(
        metrics.StateCollector(state, History(tmp_path), lambda: {"night": 2000.0}, lambda: ["night"], lambda: 1001.0)
    )
    lines = generate_latest(registry).decode().splitlines(keepends=True)
    kept("metrics.txt", "".join(line for line in lines if 'trial="' in line))
