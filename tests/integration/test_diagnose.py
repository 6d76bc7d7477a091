"""`soak diagnose` on planted leaks: the right line, the right stack; nothing of a clean trial."""

from __future__ import annotations

import json
import signal
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import reports
from soak.diagnose import session, suspects
from soak.errors import UsageError
from tests.installed import need

pytestmark = pytest.mark.framework

SHORT = ("--set", "run.sample_interval=0.2 s", "--set", "run.golden_interval=0")


def soaked(soak: Any, workload: str, framework: str = "none", seconds: int = 20, **keys: str) -> Path:
    more = [word for key, value in keys.items() for word in ("--set", f"trial.0.{key}={value}")]
    soak.run("run", "--workload", workload, "--set", f"trial.0.framework={framework}", *more, *SHORT,
             "--duration", f"{seconds}s", "--out", "runs")  # fmt: skip
    folder: Path = soak.run_folder()
    return folder


def diagnosed(soak: Any, folder: Path, *words: object) -> tuple[int, dict[str, Any], str]:
    code, said = soak.run("diagnose", folder, "--duration", "16s", *words, timeout=900)
    body = json.loads((folder / "diagnosis.json").read_text())
    schema = json.loads((Path(reports.__file__).parent / "schema" / "soak.diagnosis-1.json").read_text())
    jsonschema.validate(body, schema)
    (trial,) = body["trials"]
    return code, trial, said


def of_kind(trial: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in trial["replays"] if each["kind"] == kind)
    return found


def test_native_memory_is_named_by_its_stack(soak: Any) -> None:
    need("memray")
    folder = soaked(soak, "fault_native_heap", options="{mib_per_second=8.0}")
    code, trial, said = diagnosed(soak, folder, "--trial", "fault_native_heap")
    assert code == 0, said
    first = trial["native"]["grown"][0]
    assert any("fault_native_heap.py" in frame and "after_step" in frame for frame in first["stack"]), first
    assert "new" in first["line"] or "malloc" in first["line"]
    # What it takes by the hour is known, and follows no step.
    assert first["bytes_per_hour"] == pytest.approx(8 * 3600 * 2**20, rel=0.1)
    assert of_kind(trial, "baseline")["ran"]
    code, _ = soak.run("report", folder, "--format", "html", "--format", "json", "--format", "markdown")
    assert "fault_native_heap.py" in (folder / "report.html").read_text()
    assert json.loads((folder / "report.json").read_text())["diagnosis"]["trials"][0]["name"] == "fault_native_heap"


@pytest.mark.slow  # a framework is imported for each of its replays
def test_tensors_that_are_kept_are_named_by_the_stack_that_made_them(soak: Any) -> None:
    need("torch", "memray")
    folder = soaked(soak, "fault_outputs_kept", "torch", options="{kib=64}")
    code, trial, said = diagnosed(soak, folder, "--trial", "fault_outputs_kept")
    assert code == 0, said
    first = trial["native"]["grown"][0]
    assert any("fault_outputs_kept.py" in frame for frame in first["stack"])
    # 64 KiB, with what the allocator adds to be aligned.
    assert first["bytes_per_step"] == pytest.approx(64 * 1024, rel=0.05)


KEPT = """
import time
history = []
def remember(step):
    history.extend(object() for _ in range(1000))
step_number = 0
def step():
    global step_number
    step_number += 1
    remember(step_number)
    time.sleep(0.05)
    return 1.0
"""


def test_objects_that_are_kept_are_named_by_the_line_that_makes_them(soak: Any) -> None:
    (soak.folder / "mine.py").write_text(KEPT)
    folder = soaked(soak, "mine.py:step", seconds=8)
    code, trial, said = diagnosed(soak, folder, "--trial", "mine")
    assert code == 0, said
    first = trial["lines"]["own"][0]
    assert first["line"].endswith("mine.py:5"), said
    assert first["count_per_step"] == pytest.approx(1000, rel=0.2)
    assert any(frame.endswith("mine.py:10") for frame in trial["lines"]["grown"][0]["stack"])


@pytest.mark.slow
def test_of_a_clean_trial_nothing_is_named(soak: Any) -> None:
    need("memray")
    folder = soaked(soak, "recurrent", "torch")
    code, trial, said = diagnosed(soak, folder, "--trial", "recurrent")
    assert code == 3, said
    assert trial["lines"]["grown"] == []
    assert trial["native"]["grown"] == []


LEAK = """
import time
kept = []
def remember():
    kept.append(bytearray(200_000))
for _ in range(100_000):
    remember()
    time.sleep(0.02)
"""


def test_a_program_is_run_by_memray(soak: Any) -> None:
    need("memray")
    (soak.folder / "train.py").write_text(LEAK)
    soak.run("exec", "--duration", "12s", "--", sys.executable, "train.py")
    code, trial, said = diagnosed(soak, soak.run_folder(), "--trial", "train")
    assert code == 0, said
    assert any("train.py" in frame and "remember" in frame for frame in trial["native"]["grown"][0]["stack"]), said
    assert {each["what"] for each in trial["left_out"]} >= {"tracemalloc", "training off"}


def test_ctrl_c_keeps_what_was_found_so_far(soak: Any) -> None:
    folder = soaked(soak, "fault_native_heap", seconds=8)
    process = soak.start("diagnose", folder, "--trial", "fault", "--duration", "10min")
    soak.wait_for(lambda: list(folder.glob("diagnosis/*/trials/as-recorded/worker.log")))
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 3, output
    (trial,) = json.loads((folder / "diagnosis.json").read_text())["trials"]
    assert trial["interrupted"]
    assert not of_kind(trial, "tracemalloc")["ran"]
    assert "Interrupted: " in output


def test_errors_say_what_is_wrong(soak: Any) -> None:
    folder = soaked(soak, "lookalike_one_step", seconds=4)
    for words, expected in (
        (["nowhere"], "no run folder"),
        ([folder], "no trial is suspected of a leak; choose one with --trial NAME: lookalike_one_step"),
        ([folder, "--trial", "x"], "no trial has this name; expected one of: lookalike_one_step"),
        ([folder, "--duration", "soon"], "--duration soon: expected a number with a unit"),
        ([folder, "--env", "NOT_SET_HERE"], "--env NOT_SET_HERE: expected NAME=VALUE"),
    ):
        code, said = soak.run("diagnose", *words)
        assert (code, expected in said) == (2, True), said
    assert not (folder / "diagnosis.json").exists()


def test_code_that_is_gone_is_named(soak: Any) -> None:
    path = soak.folder / "mine.py"
    path.write_text("def step():\n    return 1.0\n")
    folder = soaked(soak, "mine.py:step", seconds=3)
    assert tomllib.loads(soak.run("export", folder, "--config")[1])["trial"][0]["workload"] == "mine.py:step"
    path.unlink()
    code, said = soak.run("diagnose", folder, "--trial", "mine")
    assert code == 2
    assert "mine.py" in said


def test_a_trial_of_a_gpu_is_refused_where_there_is_none(
    soak: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = soaked(soak, "recurrent", "torch", seconds=3)
    chosen = suspects.chosen
    monkeypatch.setattr(suspects, "chosen", lambda *words: replace(chosen(*words), device="cuda:7"))
    order = session.DiagnosisOrder(folder, "recurrent")
    found = session.plan(order)
    with pytest.raises(UsageError, match=r"the trial ran on cuda:7, and must be replayed there: .*cuda:7"):
        session.replay(found, order)
