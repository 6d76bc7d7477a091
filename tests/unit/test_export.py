import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest

from monitors.model import Event, MetricSpec, Sample
from soak.cli import main
from soak.plan import config
from soak.plan.plan import make_plan
from soak.record import arrow
from soak.record.store import FILE, Store

RSS = MetricSpec("anonymous_bytes", "bytes", "Memory.", "anonymous", judged=True)
GPU = MetricSpec("gpu_utilization", "ratio", "Busy.")
NAMES = ("a/b torch=1", "plain-torch", "x" * 400)


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str], Path]:
    """A run of three trials, the last never started: 10 rounds each of three series."""

    def make(run_id: str) -> Path:
        folder = tmp_path / "runs" / run_id
        folder.mkdir(parents=True)
        with Store.create(folder / FILE) as store:
            for key, value in _facts(run_id).items():
                store.put_meta(key, value)
            for index, name in enumerate(NAMES):
                store.put_trial(index, name, _trial(index, name))
                for n in range(10 if index < 2 else 0):
                    samples = [
                        Sample(RSS, 1e8 + n),
                        Sample(GPU, 0.5, device="cuda:0", member="rank 1"),
                        Sample(GPU, float("nan"), device="cuda:1"),
                    ]
                    store.add_round(index, float(n), samples)
            store.add_event(Event(3.0, "note", "it rained", None, 1.7e9 + 3, {"mm": 2}))
            store.add_event(Event(4.0, "alarm", "it grows", 1, 1.7e9 + 64))
        return folder

    return make


def _facts(run_id: str) -> dict[str, Any]:
    return {
        "run_id": run_id, "name": "demo", "soak_version": "0", "command": "soak run c.toml", "config_path": "c.toml",
        "config_text": "[run]\nseed = 3", "seed": 3, "started": 1.7e9, "environment": {}, "verdict": "pass",
        "reason": "calm", "ended": 1.7e9 + 100, "judge": {"min_rate": 1.0, "alarm": 0.05},
    }  # fmt: skip


def _trial(index: int, name: str) -> dict[str, Any]:
    body = {"index": index, "name": name, "workload": "recurrent", "framework": "torch", "mode": "infer",
            "execution": "eager", "seed": 3, "block": "b", "arm": "torch eager", "state": "ended"}  # fmt: skip
    return body if index == 2 else {**body, "started": 1.7e9 + 60.0 * index, "seconds": 10.0, "end_reason": "finished"}


def dataset(folder: Path) -> ds.Dataset:
    return ds.dataset(folder, format="parquet", partitioning=ds.partitioning(flavor="hive"))


def test_many_runs_are_one_dataset(run: Callable[[str], Path], tmp_path: Path) -> None:
    folders = [run("one"), run("two")]
    out = tmp_path / "out"
    assert main(["export", *map(str, folders), "--out", str(out)]) == 0
    samples = dataset(out / "samples").to_table()
    assert len(samples) == 2 * 2 * 20, "what was not known is no sample"
    assert set(samples["run"].to_pylist()) == {"one", "two"}
    assert set(samples["trial"].to_pylist()) == {"a/b torch=1", "plain-torch"}
    chosen = (
        (ds.field("run") == "two") & (ds.field("trial") == "a/b torch=1") & (ds.field("metric") == "anonymous_bytes")
    )
    rows = dataset(out / "samples").to_table(filter=chosen).sort_by("t").to_pylist()
    assert [row["value"] for row in rows] == [1e8 + n for n in range(10)]
    assert rows[3]["time"] == datetime.fromtimestamp(1.7e9 + 3, UTC)
    assert (rows[0]["layer"], rows[0]["unit"], rows[0]["member"], rows[0]["device"]) == ("anonymous", "bytes", "", "")


def test_events_and_verdicts_are_named_by_trial(run: Callable[[str], Path], tmp_path: Path) -> None:
    assert main(["export", str(run("one")), "--out", str(tmp_path / "out")]) == 0
    events = dataset(tmp_path / "out/events").to_table().to_pylist()
    assert [(e["trial"], e["kind"], json.loads(e["data"])) for e in events] == [
        (None, "note", {"mm": 2}), ("plain-torch", "alarm", {}),
    ]  # fmt: skip
    verdicts = dataset(tmp_path / "out/verdicts").to_table().to_pylist()
    assert [v["trial"] for v in verdicts] == list(NAMES)
    assert [v["seconds"] for v in verdicts] == [10.0, 10.0, None]
    assert {v["run_verdict"] for v in verdicts} == {"pass"}


def test_csv_holds_the_same(run: Callable[[str], Path], tmp_path: Path) -> None:
    folder = run("one")
    assert main(["export", str(folder), "--format", "csv", "--out", str(tmp_path / "out")]) == 0
    path = tmp_path / "out/samples/run=one/trial=plain-torch/samples.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert len(rows) == 20
    assert list(rows[0]) == arrow.SAMPLES.names
    assert {(row["member"], row["device"]) for row in rows if row["label"] == row["layer"] == ""} == {
        ("rank 1", "cuda:0")
    }


def test_a_second_export_replaces_the_first_and_leaves_nothing_else(run: Callable[[str], Path], tmp_path: Path) -> None:
    folder, out = run("one"), tmp_path / "out"
    for _ in range(2):
        assert main(["export", str(folder), "--out", str(out)]) == 0
    assert sorted(path.name for path in out.rglob("*") if path.is_file()) == [
        "events.parquet", "samples.parquet", "samples.parquet", "verdicts.parquet",
    ]  # fmt: skip


def test_a_second_export_has_no_trial_of_the_first_that_is_gone(run: Callable[[str], Path], tmp_path: Path) -> None:
    folder, out = run("one"), tmp_path / "out"
    gone, other = (out / f"samples/run={name}/trial=gone/samples.parquet" for name in ("one", "two"))
    for path in (gone, other):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    assert main(["export", str(folder), "--out", str(out)]) == 0
    assert not gone.parent.exists()
    assert other.exists(), "of another run"


@pytest.mark.parametrize(("first", "second"), [("parquet", "csv"), ("csv", "parquet")])
def test_a_folder_holds_one_format(
    run: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], first: str, second: str
) -> None:
    one, two, out = run("one"), run("two"), tmp_path / "out"
    assert main(["export", str(one), "--out", str(out), "--format", first]) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert main(["export", str(two), "--out", str(out), "--format", second]) == 2
    assert f"--out {out}: holds an export as {first} (samples/run=one/" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert main(["export", str(two), "--out", str(tmp_path / "other"), "--format", second]) == 0


def test_what_cannot_be_exported_is_said_in_one_line(
    run: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run("one")
    (tmp_path / "file").write_text("")
    for words, said in (
        ((str(folder), str(folder)), "the same run, one"),
        ((str(tmp_path / "nowhere"),), "no run folder"),
        ((str(folder), "--out", str(tmp_path / "file")), "cannot be written"),
        ((str(folder), str(folder), "--config"), "one RUN"),
    ):
        assert main(["export", *words]) == 2
        errors = capsys.readouterr().err
        assert said in errors
        assert errors.count("\n") == 1


def test_the_config_of_a_run_is_printed(run: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run("one")), "--config"]) == 0
    assert capsys.readouterr().out == "[run]\nseed = 3\n"


@pytest.mark.parametrize(
    "works", ['workload = "train.py:step"', 'member = [{ name = "a", workload = "train.py:step" }]']
)
def test_the_config_of_users_own_code_says_where_that_lies(tmp_path: Path, works: str) -> None:
    (tmp_path / "mine").mkdir()
    path, elsewhere = tmp_path / "mine/c.toml", tmp_path / "again.toml"
    path.write_text(f'[[trial]]\nname = "t"\n{works}\nduration = "9 s"\n')
    loaded = config.load(path)
    elsewhere.write_text(loaded.text)
    assert make_plan(config.load(elsewhere)) == make_plan(loaded)
    spec = make_plan(loaded)[0].members[0].spec
    assert spec is not None
    assert spec.folder == str(tmp_path / "mine")


def test_a_config_with_all_that_was_overridden_gives_the_same_plan(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(
        '# mine\n[run]\nrepeats = 2\n[[trial]]\nworkload = "recurrent"\nsteps = 9\noptions = { hidden = 8 }\n'
    )
    assert config.load(path).text == path.read_text(), "as it was written"
    ordered = ["run.seed=7", "trial.0.options.hidden=16", 'run.name="ünï"']
    loaded = config.load(path, ordered, duration="90 s", device="cpu", only=["recurrent-torch"])
    again = tmp_path / "again.toml"
    again.write_text(loaded.text)
    plan = make_plan(loaded)
    assert [(t.spec.duration, t.spec.options["hidden"], t.wishes) for t in plan] == [(90.0, 16, ("cpu",))] * 2
    assert make_plan(config.load(again)) == plan
    assert config.load(again).run == loaded.run
