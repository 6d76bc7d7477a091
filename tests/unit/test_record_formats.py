"""A record of every format that was ever written is read, judged, reported and closed."""

from __future__ import annotations

import json
import lzma
import sqlite3
from dataclasses import asdict
from pathlib import Path

import jsonschema
import pytest

import reports
from monitors.catalog import all_specs
from monitors.judgement import Judgement
from monitors.model import Finding, Sample
from reports import catalog, document
from soak.cli import main
from soak.engine.closing import close
from soak.errors import RecordError
from soak.judge.trial import judge_one, settings_of
from soak.record.reader import Record, open_record
from soak.record.store import FILE, Store

RECORDS = Path(__file__).parent.parent / "fixtures" / "records"
ROUNDS = 300
GROWN = 3600 * 50_000.0


def unpacked(folder: Path, version: int) -> Path:
    packed = (RECORDS / f"format-{version}.sqlite.xz").read_bytes()
    (folder / FILE).write_bytes(lzma.decompress(packed))
    return folder


def verdicts(record: Record) -> dict[str, tuple[str, str, str]]:
    settings = settings_of(record.judge_table())
    judged = {trial.name: judge_one(record, trial, settings) for trial in record.trials()}
    return {name: (body.verdict, str(body.layer), body.member) for name, body in judged.items()}


@pytest.mark.parametrize("version", [1, 2, 3])
def test_it_is_read_and_judged_alike(tmp_path: Path, version: int) -> None:
    record = open_record(unpacked(tmp_path, version))
    series = {one.name: one for one in record.series(1)}
    assert list(series) == [
        "anonymous_bytes", "host_heap_bytes", "gpu_throttled{hw_thermal}", "gpu_throttled{sw_power_cap}",
        "tester_rss_bytes", "steps", "frames",
    ]  # fmt: skip
    heap = series["host_heap_bytes"]
    assert (heap.size, heap.metric.layer, heap.metric.judged, heap.metric.counter) == (ROUNDS, "host_heap", True, False)
    assert heap.steps is not None
    assert (heap.steps[0], heap.steps[-1]) == (0.0, 10.0 * (ROUNDS - 3))
    assert series["steps"].metric.counter
    assert not series["tester_rss_bytes"].metric.judged
    assert [event.kind for event in record.events()][:2] == ["ready", "ready"]
    expected = {"flat": ("pass", "None", ""), "leaks": ("leak", "host_heap", "")}
    if version == 3:
        expected["ranks"] = ("leak", "anonymous", "rank 1 of 2")
    assert verdicts(record) == expected
    assert record.damage() == []


@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_report_can_be_made_of_it(tmp_path: Path, version: int) -> None:
    record = open_record(unpacked(tmp_path, version))
    settings = settings_of(record.judge_table())
    for trial in record.trials():
        record.adopt(trial.index, judge_one(record, trial, settings))
    body = document.build(record)
    schema = json.loads((Path(reports.__file__).parent / "schema" / "soak.report-1.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(body)))
    assert body["trials"][1]["rate"]["per_hour"] == pytest.approx(GROWN, rel=0.05)
    assert body["trials"][1]["held_by"] is None
    pages = {name: catalog.load(name).render(body, record) for name in catalog.names()}
    assert all("leaks" in page for page in pages.values())
    if version == 3:
        assert body["trials"][2]["held_by"] == {"member": "rank 1 of 2", "device": "", "process": ""}
        assert body["trials"][2]["rate"]["series"] == 'anonymous_bytes{member="rank 1 of 2"}'
        assert all("rank 1 of 2" in page for page in pages.values())
        assert "anonymous · rank 0 of 2" in pages["html"], "every member has its charts"


def written_now(folder: Path, old: Record) -> Path:
    """A record of today: the first two trials of an older one, with twice its memory and a half of its speed.

    It has what older ones lack: latency, a calibrated probability and growth of each trial, and a peak of the GPU,
    which is told there of ranks alone.
    """
    folder.mkdir()
    specs = all_specs()
    run = old.run()
    with Store.create(folder / FILE) as store:
        for key, value in {**asdict(run), "run_id": "now", "judge": dict(old.judge_table())}.items():
            store.put_meta(key, value)
        for info in old.trials()[:2]:
            finding = Finding(
                "trend", "anonymous_bytes", "anonymous", "bytes", "pass", 0.1, True, GROWN, (0.9 * GROWN, 1.1 * GROWN),
                5000.0, None, "flat", "", ROUNDS, 0,
            )  # fmt: skip
            body = {name: value for name, value in asdict(info).items() if name != "judgement"}
            store.put_trial(info.index, info.name, body)
            store.put_judgement(info.index, Judgement("pass", "", 0.1, True, findings=(finding,)))
            held = next(one for one in old.series(info.index) if one.name == "anonymous_bytes")
            assert held.steps is not None
            for t, value, count in zip(held.t, held.values, held.steps, strict=True):
                store.add_round(info.index, float(t), [
                    Sample(specs["anonymous_bytes"], 2 * value), Sample(specs["steps"], count / 2),
                    Sample(specs["step_latency_seconds"], 0.01), Sample(specs["gpu_process_bytes"], 1e9),
                ])  # fmt: skip
    return folder


@pytest.mark.parametrize("version", [1, 2, 3])
def test_it_is_compared_with_one_of_today_and_what_it_lacks_has_no_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], version: int
) -> None:
    (tmp_path / "old").mkdir()
    folder = unpacked(tmp_path / "old", version)
    now = written_now(tmp_path / "now", open_record(folder))
    assert main(["compare", str(folder), str(now), "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    schema = json.loads((Path(reports.__file__).parent / "schema" / "soak.comparison-1.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(body)
    found = {one["measure"]: one for one in body["comparisons"][0]["differences"]}
    assert set(found) == {
        "leak_probability", "growth_per_hour", "growth_per_step", "steady_memory", "peak_memory", "memory_variation",
        "throughput", "restarts", *(["gpu_peak_memory", "gpu_steady_memory"] if version == 3 else []),
    }  # fmt: skip
    assert {found[name]["pairs"] for name in ("steady_memory", "throughput", "restarts")} == {2}
    assert {found[name]["pairs"] for name in ("leak_probability", "growth_per_hour")} == {1}, "one was judged without"
    assert found["steady_memory"]["relative"]["value"] == pytest.approx(1.0, abs=0.01)
    assert found["throughput"]["relative"]["value"] == pytest.approx(-0.5, abs=0.01)
    assert found["growth_per_hour"]["absolute"]["value"] == pytest.approx(0.0, abs=0.05 * GROWN)
    assert body["notes"] == []


def test_a_client_is_in_the_record_and_not_judged(tmp_path: Path) -> None:
    record = open_record(unpacked(tmp_path, 3))
    clients = [one for one in record.series(2) if one.member == "client"]
    assert [(one.name, one.metric.judged) for one in clients] == [('anonymous_bytes{member="client"}', False)]
    with Store.open(tmp_path / FILE) as store:
        assert [(m.name, m.judged, m.protocol, m.ended) for m in store.members(2)] == [
            ("rank 0 of 2", True, "wire", None),
            ("rank 1 of 2", True, "wire", None),
            ("client", False, "none", 200.0),
        ]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_what_was_left_open_is_closed(tmp_path: Path, version: int) -> None:
    db = sqlite3.connect(unpacked(tmp_path, version) / FILE)
    db.execute("DELETE FROM meta WHERE key IN ('verdict', 'reason', 'ended', 'counted')")
    db.commit()
    db.close()
    close(tmp_path, 1.7e9 + 800.0)
    record = open_record(tmp_path)
    assert record.run().verdict is not None
    assert record.damage() == []
    with Store.open(tmp_path / FILE) as store:
        assert store.meta()["version"] == version, "it stays what it is"


def test_a_record_of_a_later_soak_is_refused_with_what_is_read(tmp_path: Path) -> None:
    with Store.create(tmp_path / FILE) as store:
        store.put_meta("version", 4)
    with pytest.raises(RecordError, match="a record of version 4; this soak reads versions 1, 2, 3"):
        Store.open(tmp_path / FILE)


def test_the_table_of_series_can_be_asked_for_members_and_kinds(tmp_path: Path) -> None:
    """Columns, no JSON: whoever opens the record with SQL finds its way."""
    with Store.create(tmp_path / FILE) as store:
        specs = all_specs()
        samples = [
            Sample(specs["steps"], 1.0, "", "rank 1"),
            Sample(specs["gpu_process_bytes"], 2.0, "", "a", "cuda:1"),
        ]
        store.add_round(0, 0.0, samples)
    db = sqlite3.connect(tmp_path / FILE)
    assert db.execute("SELECT metric, kind, unit, layer, judged, member, device, label FROM series").fetchall() == [
        ("steps", "counter", "count", None, 0, "rank 1", "", ""),
        ("gpu_process_bytes", "gauge", "bytes", "gpu_process", 1, "a", "cuda:1", ""),
    ]
    db.close()
