"""Which trial is diagnosed, what it is replayed with, and what is left out and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitors.judgement import Judgement
from reports.record import TrialInfo
from soak.diagnose import ablations, aimed, programs, recorded, suspects
from soak.diagnose.recorded import Replayable
from soak.diagnose.replay import LeftOut, Replay
from soak.errors import UsageError
from soak.plan import config
from soak.plan.plan import make_plan

TRAINED = """
[run]
seed = 7
repeats = 2
parallel = 2
[stream]
clip_length = "new"
[[trial]]
workload = "recurrent"
mode = ["train", "infer"]
framework = "tensorflow"
execution = ["eager", "graph"]
steps = 10
expect = "leak"
"""


def info(name: str, verdict: str | None = "leak", probability: float = 0.9, **keys: Any) -> TrialInfo:
    judged = None if verdict is None else Judgement(
        verdict, "", probability, layer="host_heap", control_passed=keys.pop("passed", None)  # type: ignore[arg-type]
    )  # fmt: skip
    known = {"workload": "recurrent", "framework": "tensorflow", "mode": "train", "execution": "graph", "seed": 7,
             "block": "b", "arm": "a", "state": "ended", "index": 0}  # fmt: skip
    return TrialInfo(name=name, judgement=judged, **{**known, **keys})


def of(text: str, name: str, env: Mapping[str, str] | None = None, **keys: Any) -> Replayable:
    return recorded.of_record(text, info(name, **keys), env or {}, "runs/x")


def test_the_surest_leak_is_diagnosed_and_no_control_that_leaks_on_purpose() -> None:
    trials = [
        info("clean", "pass", 0.01), info("maybe", "inconclusive", 0.7), info("leaks", "leak", 0.95),
        info("planted", "leak", 0.99, passed=True), info("never run", None),
    ]  # fmt: skip
    assert [trial.name for trial in suspects.suspected(trials)] == ["leaks", "maybe"]
    assert suspects.chosen(trials, None, "runs/x").name == "leaks"
    assert suspects.chosen(trials, "pl", "runs/x").name == "planted"


@pytest.mark.parametrize(
    ("name", "said"),
    [(None, "no trial is suspected"), ("nobody", "no trial has this name"), ("a", "2 trials begin with this name")],
)
def test_an_error_names_the_trials_that_there_are(name: str | None, said: str) -> None:
    trials = [info("a-1", "pass", 0.0), info("a-2", "pass", 0.0)]
    with pytest.raises(UsageError, match=said) as raised:
        suspects.chosen(trials, name, "runs/x")
    assert "a-1, a-2" in str(raised.value)


def test_a_trial_is_rebuilt_alone_with_its_own_seed_and_without_what_was_asked_of_it() -> None:
    trial = of(TRAINED, "recurrent-tensorflow-train-graph-2", seed=8)
    assert trial.table == {
        "workload": "recurrent", "framework": "tensorflow", "mode": "train", "execution": "graph", "device": "cpu"
    }  # fmt: skip
    tables = trial.config([{**trial.table, "name": "as-recorded"}], "60 s")
    (again,) = make_plan(config.of_tables(Path("again"), tables))
    original = next(
        t for t in make_plan(config.of_tables(Path("c"), recorded._tables(TRAINED, ""))) if t.name == trial.info.name
    )
    assert (again.spec.seed, again.spec.duration, again.spec.steps) == (8, 60.0, None)
    assert replace(again.spec, duration=None, folder="") == replace(original.spec, steps=None, duration=None, folder="")
    assert (again.expect, tables["run"]["order"], tables["judge"]["stop_on_leak"]) == (None, "listed", False)


def test_a_hidden_value_is_asked_for() -> None:
    text = '[run]\nduration = "9 s"\n[[trial]]\nworkload = "recurrent"\nenv = { TOKEN = "***" }\n'
    with pytest.raises(UsageError, match="--env TOKEN=VALUE"):
        of(text, "recurrent-torch")
    trial = of(text, "recurrent-torch", {"TOKEN": "x"}, framework="torch", mode="infer", execution="eager")
    assert trial.table["env"] == {"TOKEN": "x"}


@pytest.mark.parametrize("text", ["(damaged)", "", "[run]\n"])
def test_a_record_without_a_config_says_so(text: str) -> None:
    with pytest.raises(UsageError, match="has no config"):
        of(text, "recurrent-torch")


def test_a_trial_that_ran_on_a_gpu_is_replayed_there() -> None:
    trial = of(TRAINED, "recurrent-tensorflow-train-graph-1", device="cuda:1")
    assert trial.table["device"] == "cuda:1"


def by_name(answers: list[Replay | LeftOut]) -> dict[str, Any]:
    return {each.name if isinstance(each, Replay) else each.what: each for each in answers}


def test_what_can_be_switched_off_is_and_the_rest_is_said() -> None:
    trial = of(TRAINED, "recurrent-tensorflow-train-graph-1")
    found = by_name(ablations.ablations(trial, lambda: "/lib/libjemalloc.so.2"))
    assert found["one-shape"].changed == {"stream": {"source": "synthetic", "clip_length": "fixed"}}
    assert found["infer"].table["mode"] == "infer"
    assert found["eager"].table["execution"] == "eager"
    assert found["jemalloc"].table["env"] == {"LD_PRELOAD": "/lib/libjemalloc.so.2"}
    assert "no option workers" in found["loader workers off"].why
    for each in found.values():
        if isinstance(each, Replay):
            make_plan(config.of_tables(Path("again"), trial.config([each.table], "60 s")))


def test_what_is_off_already_says_nothing() -> None:
    text = '[run]\nduration = "9 s"\n[[trial]]\nworkload = "recurrent"\n'
    trial = of(text, "recurrent-torch", framework="torch", mode="infer", execution="eager")
    found = by_name(ablations.ablations(trial, str))
    assert all(isinstance(each, LeftOut) for each in found.values())
    assert "apt-get install libjemalloc2" in found["jemalloc in place of malloc"].why


def test_the_option_of_a_workload_bounds_what_is_new() -> None:
    text = '[run]\nduration = "9 s"\n[[trial]]\nworkload = "zoo_retrace"\nframework = "tensorflow"\n'
    trial = of(text + "options = { jit_compile = true }\n", "zoo_retrace-tensorflow", mode="infer", execution="eager",
               workload="zoo_retrace")  # fmt: skip
    found = by_name(ablations.ablations(trial, str))
    assert found["one-shape"].table["options"] == {"jit_compile": True, "distinct": 1}
    assert found["eager"].table["options"] == {"jit_compile": False}


@pytest.mark.parametrize(
    ("layer", "device", "has", "expected"),
    [
        ("host_heap", "cpu", True, {"tracemalloc", "memray", "history of device memory"}),
        ("fds", "cpu", True, {"tracemalloc", "history of device memory"}),
        ("host_heap", "cpu", False, {"tracemalloc", "history of device memory"}),
    ],
)
def test_instruments_are_aimed_at_the_layer(layer: str, device: str, has: bool, expected: set[str]) -> None:
    trial = of(TRAINED, "recurrent-tensorflow-train-graph-1", device=device)
    found = by_name(aimed.instruments(trial, layer, Path("/runs/x"), lambda python: has))
    replayed = {name for name, each in found.items() if isinstance(each, Replay)}
    assert replayed == expected - {"history of device memory"}
    if not has:
        assert "pip install 'soak[diagnose]'" in found["memray"].why


def test_a_device_of_torch_remembers_and_one_of_tensorflow_does_not() -> None:
    text = '[run]\nduration = "9 s"\n[[trial]]\nworkload = "recurrent"\n'
    keys: dict[str, Any] = {"mode": "infer", "execution": "eager", "device": "cuda:0"}
    torch = of(text, "recurrent-torch", framework="torch", **keys)
    found = by_name(aimed.instruments(torch, "gpu_allocated", Path("/runs/x"), lambda python: True))
    assert found["device-memory"].table["device_history"] is True
    tensorflow = of(text, "recurrent-tensorflow", framework="tensorflow", **keys)
    found = by_name(aimed.instruments(tensorflow, "gpu_allocated", Path("/runs/x"), lambda python: True))
    assert "does not record" in found["history of device memory"].why


MEMRAY = ["-m", "memray", "run", "--native", "--force", "--quiet", "--output", "/c.bin"]


@pytest.mark.parametrize(
    ("command", "line", "python", "expected"),
    [
        (["python", "train.py", "-x"], b"", "python", ["python", *MEMRAY, "train.py", "-x"]),
        (["python3.11", "-u", "-X", "dev", "-m", "app"], b"", "python3.11",
         ["python3.11", "-u", "-X", "dev", *MEMRAY, "-m", "app"]),
        (["/v/bin/python", "-c", "pass"], b"", "/v/bin/python", ["/v/bin/python", *MEMRAY, "-c", "pass"]),
        (["/v/bin/no-such-tool", "a"], b"#!/v/bin/python3\n", "/v/bin/python3",
         ["/v/bin/python3", *MEMRAY, "/v/bin/no-such-tool", "a"]),
        (["/v/no-such-tool"], b"#!/usr/bin/env python3\n", "python3", ["python3", *MEMRAY, "/v/no-such-tool"]),
    ],
)  # fmt: skip
def test_a_program_of_python_is_run_by_memray(
    command: list[str], line: bytes, python: str, expected: list[str]
) -> None:
    assert programs.under_memray(command, Path("/c.bin"), lambda program: line) == (python, expected)


@pytest.mark.parametrize(
    ("command", "line"), [(["./server"], b"\x7fELF"), (["bash", "run.sh"], b"\x7fELF"), (["python"], b""), (["x"], b"")]
)
def test_other_programs_are_said_to_be_none(command: list[str], line: bytes) -> None:
    with pytest.raises(programs.NotPythonError):
        programs.under_memray(command, Path("/c.bin"), lambda program: line)


def test_a_command_is_replayed_with_what_can_be_put_around_it(tmp_path: Path) -> None:
    text = '[run]\nname = "train"\n[[trial]]\nname = "train"\ncommand = ["python", "train.py"]\n'
    trial = of(text, "train", mode="command", framework="none", execution="eager", workload="train")
    found = by_name(aimed.instruments(trial, "anonymous", tmp_path, lambda python: True))
    assert found["memray"].table["command"][:3] == ["python", "-m", "memray"]
    assert "from outside" in found["tracemalloc"].why
    changes = by_name(ablations.ablations(trial, lambda: "/lib/j.so"))
    assert [name for name, each in changes.items() if isinstance(each, Replay)] == ["jemalloc"]
