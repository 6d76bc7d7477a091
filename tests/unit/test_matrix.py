"""The config of the matrix asks for every execution there is, and its page tells what a run has shown of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import matrix, matrix_config, notes
from monitors.detection.series import Series
from monitors.model import Event, MetricSpec
from reports import document
from soak.plan.config import load
from soak.plan.plan import make_plan
from workloads import executions

CONFIG = Path(__file__).parents[2] / "configs" / "matrix.toml"
MIB = 2.0**20
TOTAL = MetricSpec("total_bytes", "bytes", "Total", "total", judged=True)
STEPS = MetricSpec("steps", "count", "Steps", counter=True)


def test_every_execution_that_comes_with_soak_is_in_the_config_in_every_mode() -> None:
    asked = {(one.spec.framework, one.spec.execution, one.spec.mode) for one in make_plan(load(CONFIG))}
    known = {(framework, name, mode) for framework, name, modes in matrix_config.shipped() for mode in modes}
    assert ("torch", "eager", "train") in known
    assert known - asked == set(), "run: python -m benchmarks.matrix_config > configs/matrix.toml"


def test_the_config_is_what_the_executions_say() -> None:
    said = "run: python -m benchmarks.matrix_config > configs/matrix.toml"
    assert CONFIG.read_text() == matrix_config.written(), said


def test_each_trial_of_it_takes_a_minute_at_least() -> None:
    for one in make_plan(load(CONFIG)):
        assert one.spec.duration is not None
        assert one.spec.duration >= 60


def rows(empty_record: Callable[..., Any]) -> list[matrix.Row]:
    """PyTorch in eager mode at 100 steps a second, TensorFlow as a graph at 50 and in eager mode at 40."""
    record = empty_record()
    for at, (framework, execution, speed) in enumerate(
        [("torch", "eager", 100.0), ("tensorflow", "graph", 50.0), ("tensorflow", "eager", 40.0)]
    ):
        told = {"environment": {framework: "2.1", "python": "3.11"}, "execution": execution}
        record.add(framework, 0.0, **told)
        t = np.arange(0.0, 60.0, 0.25)
        held = np.where(t < 45, 100 * MIB, (200 + at) * MIB)
        record.by_trial[at] += [Series(STEPS, "", t, speed * t), Series(TOTAL, "", t, held)]
    record.told.append(Event(1.0, "answer", "…", 0, 5.0, {"difference": 2.5e-7, "tolerance": 2e-5}))
    record.told.append(Event(1.0, "answer", "…", 1, 5.0, {"difference": 0.5, "tolerance": 2e-5}))
    body = document.build(record)
    return [matrix.Row(one, matrix.steady(record.series(one["index"])), body["run"]) for one in body["trials"]]


def line(text: str, begins: str) -> list[str]:
    found = [each for each in text.splitlines() if each.startswith(begins)]
    assert len(found) == 1, text
    return [cell.strip() for cell in found[0].split("|")[1:-1]]


def test_the_page_tells_speed_memory_and_whether_the_answer_was_right(empty_record: Callable[..., Any]) -> None:
    text = matrix.page(rows(empty_record))
    torch, tensorflow = text.partition("## Models written in PyTorch")[2], text.partition("written in TensorFlow")[2]
    cells = line(tensorflow.partition("##")[0], "| graph ")
    assert cells[1:5] == ["infer", "finished", "pass", "5.0e-01 (2e-05)"]
    assert cells[5:8] == ["50", "1.25×", "201 MiB"]
    cells = line(torch.partition("##")[0], "| eager ")
    assert cells[4:8] == ["2.5e-07 (2e-05)", "100", "1.00×", "200 MiB"]
    assert "1 of 3 answered as the reference does" in text
    assert line(text, "| tensorflow graph |") == ["tensorflow graph", "tensorflow 2.1, python 3.11"]


def test_the_page_tells_what_was_said_of_the_machine_and_of_onednn(empty_record: Callable[..., Any]) -> None:
    these = rows(empty_record)
    off = {**these[1].trial, "environment": {"tensorflow_onednn": "off"}}
    told = matrix.page([these[0], replace(these[1], trial=off), these[2]], ["Others used the machine too."])
    top = told.partition("*answer off by*")[0]
    assert top.endswith("not how it is shipped.\n\nOthers used the machine too.\n\n")
    assert "In 1 of 3 trials TensorFlow ran without oneDNN" in top
    assert "without oneDNN" not in matrix.page(these)


def test_notes_are_given_one_by_one() -> None:
    parser = argparse.ArgumentParser()
    notes.add_option(parser)
    assert parser.parse_args(["--note", "One.", "--note", "Two."]).notes == ["One.", "Two."]
    assert parser.parse_args([]).notes == []


def test_a_version_that_an_older_trial_did_not_tell_is_the_one_installed_here_and_marked(
    empty_record: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    these = rows(empty_record)
    assert matrix.HERE not in matrix.page(these).partition("## Versions")[2]
    monkeypatch.setattr(executions.find("torch", "eager"), "REQUIRES", {"torch": "torch", "pytest": "pytest"})
    text = matrix.page(these).partition("## Versions")[2]
    assert line(text, "| torch eager |")[1] == f"torch 2.1, pytest {pytest.__version__} †, python 3.11"
    assert "† not told by the trial: what is installed where this page was made." in text


def test_the_page_tells_what_is_missing(empty_record: Callable[..., Any]) -> None:
    these = rows(empty_record)
    failed = {**these[1].trial, "end_reason": "wrong_answer", "reason": "it is off", "verdict": "error"}
    missing = matrix.page([these[0], replace(these[1], trial=failed)]).partition("## What is missing")[2]
    assert "- tensorflow graph infer: wrong_answer: it is off" in missing
    assert "- tensorflow eager infer: not run" in missing
    assert "- torch eager infer" not in missing
    whole = [
        replace(these[0], trial={**these[0].trial, "framework": framework, "execution": name, "mode": mode})
        for framework, name, modes in matrix_config.shipped()
        for mode in modes
    ]
    assert "Nothing: every execution" in matrix.page(whole)


def test_of_a_trial_of_several_runs_the_last_stands_there_beside_eager_of_its_own_run(
    empty_record: Callable[..., Any],
) -> None:
    before = rows(empty_record)
    slower = {**before[1].trial, "steps_per_second": 20.0}
    again = [replace(row, run={**row.run, "id": "again"}) for row in (before[2], replace(before[1], trial=slower))]
    text = matrix.page([*before, *again])
    assert line(text, "| graph ")[5:7] == ["20", "0.50×"]
    assert text.count("| eager |") == 2, "one of each framework"
    assert line(text.partition("written in PyTorch")[2].partition("##")[0], "| eager ")[6] == "1.00×"
