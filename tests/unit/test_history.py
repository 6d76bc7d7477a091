"""`soak history`: a planted history of records, through the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

import reports
from monitors.catalog import all_specs
from monitors.judgement import Judgement
from monitors.model import Sample
from soak import cli
from soak.record.store import FILE, Store

SCHEMA = json.loads((Path(reports.__file__).parent / "schema" / "soak.history-1.json").read_text())
DAY = 86400.0
BEGAN = 1767225600.0
"""2026-01-01."""
MIB = 2**20
WOBBLE = (0.001, -0.002, 0.0015, 0.0, -0.001, 0.002, -0.0005, 0.0012, -0.0018, 0.0007, 0.0002, -0.0011)

Plant = Callable[..., Path]


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Runs of one block, a day apart, by what differs between them: all by the number of the run."""

    def planted(
        runs: int, memory: Callable[[int], float] = lambda _: 100.0, torch: Callable[[int], str] = lambda _: "2.12.0",
        trials: Callable[[int], list[dict[str, Any]]] = lambda _: [{}], speed: Callable[[int], float] = lambda _: 50.0,
    ) -> Path:  # fmt: skip
        folder = tmp_path / "runs"
        for number in range(runs):
            told = {"cpu": "x", "kernel": "6.1", "host": "n1", "soak": "0.1.0"}
            facts = run_facts(number, told)
            with Store.create(made(folder / facts["run_id"]) / FILE) as store:
                for key, value in facts.items():
                    store.put_meta(key, value)
                for index, more in enumerate(trials(number)):
                    body = trial(index, number, torch(number)) | more
                    judgement = {**JUDGEMENT, "leak_probability": body.pop("leaks", 0.01)}
                    store.put_trial(index, body["name"], body)
                    wobble = 1 + WOBBLE[(number + 3 * index) % len(WOBBLE)]
                    put_samples(store, index, memory(number) * wobble * MIB, speed(number) * wobble)
                    store.put_judgement(index, msgspec.convert(judgement, Judgement))
        return folder

    return planted


def made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def run_facts(number: int, told: Mapping[str, str]) -> dict[str, Any]:
    started = BEGAN + number * DAY
    return {
        "run_id": f"night-202601{number + 1:02}T000000Z", "name": "night", "soak_version": "0.1.0", "command": "soak",
        "config_path": "night.toml", "config_text": "", "seed": 1, "started": started, "environment": told,
        "judge": {"min_rate": 1.0}, "verdict": "pass", "reason": "", "ended": started + 60,
    }  # fmt: skip


def trial(index: int, number: int, torch: str) -> dict[str, Any]:
    return {
        "index": index, "name": "lstm", "workload": "lstm", "framework": "torch", "mode": "train",
        "execution": "eager", "seed": 1, "block": "b", "arm": f"torch {torch} eager", "state": "ended",
        "started": BEGAN + number * DAY, "seconds": 60.0, "end_reason": "finished", "device": "cpu",
        "settings": {"workload": "lstm", "mode": "train", "framework": "torch", "execution": "eager", "seed": 1},
        "environment": {"torch": torch, "python": "3.11.7"},
    }  # fmt: skip


JUDGEMENT: dict[str, Any] = {
    "verdict": "pass", "reason": "flat", "leak_probability": 0.01, "calibrated": True, "layer": None, "member": "",
    "leak_device": "", "process": "", "control_passed": None, "findings": [], "cause": "", "causes": [],
}  # fmt: skip


def put_samples(store: Store, index: int, memory: float, speed: float) -> None:
    specs = all_specs()
    for t in range(8):
        told = {"total_bytes": memory, "anonymous_bytes": memory, "steps": speed * t, "step_latency_seconds": 1 / speed}
        store.add_round(index, float(t), [Sample(specs[name], value) for name, value in told.items()])


def history(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.main(["history", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def body_of(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code, out, _ = history(capsys, *words, "--json")
    body: dict[str, Any] = json.loads(out)
    jsonschema.validate(body, SCHEMA)
    assert code == 0
    return body


def course(body: Mapping[str, Any], name: str, arm: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in body["arms"][arm]["courses"] if one["measure"] == name)
    return found


def test_the_run_with_which_memory_rose_is_named_with_what_changed(
    plant: Plant, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = plant(10, lambda n: 100 if n < 6 else 112, lambda n: "2.12.0" if n < 6 else "2.13.0")
    body = body_of(capsys, str(runs))
    (change,) = course(body, "steady_memory")["changes"]
    assert change["run"] == change["earliest"] == change["latest"] == "night-20260107T000000Z"
    assert change["started"] == BEGAN + 6 * DAY
    assert change["before"] == "night-20260106T000000Z"
    low, high = change["relative"]["ci95"]
    assert low < 0.12 < high
    assert {"name": "version of torch", "before": ["2.12.0"], "after": ["2.13.0"]} in change["differs"]
    assert change["worth"] == "worse"
    assert not course(body, "throughput")["changes"]
    assert body["worse"] == ["steady_memory of lstm train, torch eager", "peak_memory of lstm train, torch eager"]

    code, out, _ = history(capsys, str(runs))
    assert code == 0
    first = out.splitlines()[0]
    assert "lstm train, torch eager, since night-20260107T000000Z (2026-01-07 00:00 UTC)" in first
    assert "torch 2.12.0 → 2.13.0" in first
    assert re.search(r"steady memory 12(\.\d)? % higher \(\+11\.\d to \+12\.\d %\)", first)


def test_ci_fails_where_the_newest_runs_are_worse_and_only_there(
    plant: Plant, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = str(plant(12, lambda n: 100 if n < 6 else 112))
    assert history(capsys, runs)[0] == 0
    assert history(capsys, runs, "--fail-on-change")[0] == 1
    assert history(capsys, runs, "--fail-on-change", "--margin", "20")[0] == 0
    assert history(capsys, runs, "--fail-on-change", "--measure", "throughput")[0] == 0
    assert history(capsys, runs, "--fail-on-change", "--last", "6")[0] == 0, "all of them are of the new level"
    assert history(capsys, runs, "--fail-on-change", "--since", "2026-01-07")[0] == 0


def test_what_became_better_fails_nothing(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    runs = str(plant(12, speed=lambda n: 50 if n < 6 else 60))
    assert history(capsys, runs, "--fail-on-change")[0] == 0
    (change,) = course(body_of(capsys, runs), "throughput")["changes"]
    assert change["worth"] == "better"


def test_five_runs_are_too_few_and_it_is_said(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = history(capsys, str(plant(5, lambda n: 100 if n < 3 else 200)), "--fail-on-change")
    assert code == 0
    assert out.startswith("Cannot tell: 5 runs, and a change can be told from 6 runs on.")
    assert "too few runs" in out


def test_one_outlying_run_is_told_and_fails_nothing(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    runs = str(plant(10, lambda n: 150 if n == 9 else 100))
    code, out, _ = history(capsys, runs, "--fail-on-change")
    assert code == 0
    assert "one run alone, no change: steady memory: 150 MiB in night-20260110T000000Z" in out


def test_repeats_are_one_run_and_arms_and_controls_are_told_apart(
    plant: Plant, capsys: pytest.CaptureFixture[str]
) -> None:
    of = trial(0, 0, "2.12.0")["settings"]
    tensorflow = {"framework": "tensorflow", "settings": {**of, "framework": "tensorflow"}, "name": "other"}
    again = {"seed": 2, "settings": {**of, "seed": 2}, "name": "lstm-2"}
    body = body_of(capsys, str(plant(6, trials=lambda _: [{}, again, tensorflow, {"expect": "leak", "name": "c"}])))
    assert [(arm["framework"], len(arm["runs"])) for arm in body["arms"]] == [("tensorflow", 6), ("torch", 6)]
    assert [run["trials"] for arm in body["arms"] for run in arm["runs"]] == [1] * 6 + [2] * 6
    assert body["left_out"] == ["controls: 6 trials"]


def test_the_level_of_a_share_is_of_every_repeat(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    """Four of eight repeats leak for sure in each run, and one of them crashes."""
    of = trial(0, 0, "2.12.0")["settings"]
    repeats = [{"settings": {**of, "seed": n}, "seed": n, "name": f"lstm-{n}", "leaks": 0.995 if n % 2 else 0.005,
                "end_reason": "crashed" if n == 3 else "finished"} for n in range(8)]  # fmt: skip
    runs = str(plant(6, trials=lambda _: repeats))
    body = body_of(capsys, runs, "--measure", "leak probability", "--measure", "restarts")
    leak, restart = course(body, "leak_probability"), course(body, "restarts")
    assert leak["values"] == pytest.approx([0.5] * 6), "of a run its mean"
    (level,) = leak["levels"]
    assert level["value"] == pytest.approx(0.5, abs=0.02)
    assert level["ci95"] == pytest.approx([0.36, 0.64], abs=0.03), "of 24 in 48"
    (level,) = restart["levels"]
    assert level["value"] == pytest.approx(6.5 / 49, abs=0.01)
    assert level["ci95"][1] < 0.27


def test_two_interpreters_side_by_side_are_no_repeats(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    of = trial(0, 0, "2.12.0")["settings"]
    old = {"settings": {**of, "python": "old/bin/python"}, "name": "old"}
    new = {"settings": {**of, "python": "new/bin/python"}, "name": "new"}
    body = body_of(capsys, str(plant(3, trials=lambda _: [old, new])))
    assert [len(arm["runs"]) for arm in body["arms"]] == [3, 3]
    assert [arm["name"] for arm in body["arms"]] == [
        f"lstm train, torch eager, python {name}/bin/python" for name in ("new", "old")
    ]


def test_a_run_that_two_paths_name_counts_once(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    runs = plant(3)
    body = body_of(capsys, str(runs), str(runs / "night-20260102T000000Z"))
    assert len(body["arms"][0]["runs"]) == 3
    assert [run["trials"] for run in body["arms"][0]["runs"]] == [1, 1, 1]


def test_what_no_run_tells_is_said(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    body = body_of(capsys, str(plant(8)), "--measure", "peak memory of the GPU")
    assert body["sentence"] == "Cannot tell: nothing of what is followed is known, of 8 runs."


def test_the_page_holds_all_of_it_and_requests_nothing(
    plant: Plant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = plant(10, lambda n: 100 if n < 6 else 112, lambda n: "2.12.0" if n < 6 else "2.13.0<b>")
    assert history(capsys, str(runs), "--html", str(tmp_path / "h.html"))[0] == 0
    page = (tmp_path / "h.html").read_text()
    assert page.count("<svg") == len(body_of(capsys, str(runs))["arms"][0]["courses"])
    assert page.count("<circle") >= 10 * 4
    assert "torch 2.12.0 → 2.13.0&lt;b&gt;" in page
    assert "<b>" not in page.replace("<figcaption><b>", "")
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere"),
        (["--measure", "speed of steps"], "is told by `soak claims` alone"),
        (["--measure", "colour"], "--measure: expected a measure"),
        (["--since", "2100-01-01"], "no run began at --since or later"),
        (["--html", "nowhere/h.html"], "expected a file in a folder that exists"),
    ],
)
def test_what_cannot_be_told_is_one_line_and_2(
    plant: Plant, words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(plant(1).parent)
    code, out, err = history(capsys, *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [["--since", "soon"], ["--last", "0"], ["--last", "²"], ["--margin", "-1"]])
def test_options_that_mean_nothing_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.parser("history").parse_args(["history", *words])
    assert ended.value.code == 2
    assert "expected a" in capsys.readouterr().err


def test_runs_are_looked_for_in_runs(
    plant: Plant, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(plant(2).parent)
    assert len(body_of(capsys)["arms"][0]["runs"]) == 2
