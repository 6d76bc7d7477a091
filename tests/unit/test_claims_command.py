"""`soak claims` over recorded runs: what was planted is answered, whichever way the runs are found."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import reports
from soak.claims import running
from soak.cli import main
from tests.comparing import MIB, PlantedTrial, both, planted

HEAVY = PlantedTrial(framework="tensorflow", version="2.16", memory=300 * MIB, latency=0.02)
OWN = """
title = "Own"
[experiment.memory]
run = { duration = "10 s", repeats = 4 }
[[experiment.memory.trial]]
workload = "recurrent"
[[claim]]
name = "half-more"
says = "TensorFlow takes 40 % more memory"
experiment = "memory"
holds = ["tensorflow memory 40% higher than torch"]
beside = ["tensorflow latency against torch"]
[[claim]]
name = "twice"
says = "TensorFlow takes twice the memory, and answers within 10 ms"
experiment = "memory"
holds = ["tensorflow memory at least 200% of torch", "tensorflow latency at most 10 ms"]
[[claim]]
name = "size"
says = "Its program has 2 MB"
experiment = "memory"
holds = ["tensorflow program_size at most 2 MB"]
"""


CONFIG = """
[run]
name = "own-memory"
folder = "/elsewhere"
duration = "10 s"
repeats = 4
parallel = 1
[[trial]]
workload = "recurrent"
"""
"""As a record has it; a default is written down."""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    return path


@pytest.fixture
def answered(capsys: pytest.CaptureFixture[str]) -> Callable[..., Mapping[str, Any]]:
    """The claims by name, of a document that is valid."""
    schema = json.loads((Path(reports.__file__).parent / "schema" / "soak.claims-1.json").read_text())

    def run(*words: object) -> Mapping[str, Any]:
        assert main(["claims", *map(str, words), "--json"]) == 0
        body = json.loads(capsys.readouterr().out)
        jsonschema.Draft202012Validator(schema).validate(body)
        return {claim["name"]: claim for file in body["files"] for claim in file["claims"]}

    return run


def test_what_was_planted_is_answered(own: Path, tmp_path: Path, answered: Callable[..., Mapping[str, Any]]) -> None:
    run = planted(tmp_path, "a", both(5, tensorflow=HEAVY), name="own-memory", config_text=CONFIG)
    told = answered(own, run)
    assert {name: claim["answer"] for name, claim in told.items()} == {
        "half-more": "supported", "twice": "refuted", "size": "undecided",
    }  # fmt: skip
    (memory,) = told["half-more"]["statements"]
    assert memory["relative"]["value"] == pytest.approx(0.5, abs=0.01)
    assert [side["trials"] for side in memory["sides"]] == [5, 5]
    (beside,) = told["half-more"]["beside"]
    assert beside["relative"]["value"] == pytest.approx(1.0, abs=0.02)
    assert [one["answer"] for one in told["twice"]["statements"]] == ["refuted", "refuted"]
    assert "No trial tells" in told["size"]["reason"]
    assert told["half-more"]["machines"] == ["? CPUs of a processor, tensorflow 2.16, torch 2.0, 2023-11-14"]


def test_the_newest_finished_run_of_an_experiment_is_found_by_its_name(
    own: Path, tmp_path: Path, answered: Callable[..., Mapping[str, Any]]
) -> None:
    out = tmp_path / "runs"
    lighter = replace(HEAVY, memory=100 * MIB)
    planted(out, "own-memory-20260101T000000Z", both(5, tensorflow=lighter), name="own-memory", config_text=CONFIG)
    planted(out, "own-memory-20260102T000000Z", both(5, tensorflow=HEAVY), name="own-memory", config_text=CONFIG)
    planted(
        out,
        "own-memory-20260103T000000Z",
        both(5, tensorflow=lighter),
        name="own-memory",
        config_text=CONFIG,
        verdict=None,
        ended=None,
    )
    planted(
        out, "own-memory-more-20260104T000000Z", both(5, tensorflow=lighter), name="own-memory-more", config_text=CONFIG
    )
    assert answered(own, "--out", out)["half-more"]["answer"] == "supported"


def test_runs_of_one_experiment_are_taken_together_and_trials_that_do_not_count_are_told(
    own: Path, tmp_path: Path, answered: Callable[..., Mapping[str, Any]]
) -> None:
    first = planted(tmp_path, "a", both(2, tensorflow=HEAVY), name="own-memory", config_text=CONFIG)
    ended = replace(HEAVY, seed=9, end="interrupted")
    second = planted(tmp_path, "b", [*both(3, tensorflow=HEAVY), ended], name="own-memory", config_text=CONFIG)
    (told,) = answered(own, first, second, "--claim", "half").values()
    assert [side["trials"] for side in told["statements"][0]["sides"]] == [5, 5]
    (left_out,) = told["left_out"]
    assert left_out.startswith("recurrent-tensorflow-eager-9: did not run to the")


def test_a_run_of_another_experiment_is_refused(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = planted(tmp_path, "a", both(2), name="something")
    assert main(["claims", str(own), str(run)]) == 2
    assert "a run of 'something': expected one of own-memory" in capsys.readouterr().err


def test_on_a_terminal_and_as_a_page_every_claim_has_its_row(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = planted(tmp_path, "a", both(5, tensorflow=HEAVY), name="own-memory", config_text=CONFIG)
    assert main(["claims", str(own), str(run)]) == 0
    rows = capsys.readouterr().out.splitlines()
    (row,) = [row for row in rows if row.startswith("TensorFlow takes 40 %")]
    assert "50 % higher" in row
    assert "supported" in row
    assert main(["claims", str(own), str(run), "--format", "markdown"]) == 0
    page = capsys.readouterr().out
    assert "| TensorFlow takes 40 % more memory | steady memory: tensorflow 300 MiB (" in page
    assert "tensorflow 300 MiB (" in page
    assert ": 150 % of it (" in page
    assert "| Its program has 2 MB | nothing | **undecided**: No trial tells its size of the program. |" in page
    assert "soak claims own.toml --run" in page


# ---- runs of another config


def test_a_run_of_another_config_answers_and_its_row_says_so(
    own: Path, tmp_path: Path, answered: Callable[..., Mapping[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    other = CONFIG.replace("repeats = 4", "repeats = 3")
    run = planted(tmp_path, "a", both(5, tensorflow=HEAVY), name="own-memory", config_text=other)
    told = answered(own, run)["half-more"]
    assert (told["answer"], told["another_config"]) == ("supported", ["run.repeats 3, now 4"])
    assert main(["claims", str(own), str(run), "--format", "markdown"]) == 0
    page = capsys.readouterr().out
    said = "easured with another config: run.repeats 3, now 4"
    assert f"| **supported**, m{said}. |" in page
    assert f"**undecided**: No trial tells its size of the program. M{said}. |" in page
    assert f"\n- m{said}\n" in page
    assert main(["claims", str(own), str(run)]) == 0
    assert "run.repeats 3, now 4" in " ".join(capsys.readouterr().out.split())


def test_a_run_of_another_machine_with_the_same_config_is_no_other(
    own: Path, tmp_path: Path, answered: Callable[..., Mapping[str, Any]]
) -> None:
    run = planted(tmp_path, "a", both(5, tensorflow=HEAVY), name="own-memory", config_text=CONFIG, soak_version="0.0",
                  environment={"cpu": "another", "host": "two", "cpus": "96"})  # fmt: skip
    assert answered(own, run)["half-more"]["another_config"] == []


def test_a_newer_rehearsal_does_not_take_the_place_of_the_run(
    own: Path, tmp_path: Path, answered: Callable[..., Mapping[str, Any]]
) -> None:
    out, short = tmp_path / "runs", CONFIG.replace('"10 s"', '"1 s"')
    lighter = both(5, tensorflow=replace(HEAVY, memory=100 * MIB))
    planted(out, "own-memory-20260102T000000Z", lighter, name="own-memory", config_text=short)
    assert answered(own, "--out", out)["half-more"]["another_config"] == ["run.duration 1 s, now 10 s"]
    planted(out, "own-memory-20260101T000000Z", both(5, tensorflow=HEAVY), name="own-memory", config_text=CONFIG)
    told = answered(own, "--out", out)["half-more"]
    assert (told["answer"], told["another_config"]) == ("supported", [])
    asked = answered(own, "--out", out, "--duration", "1 s")["half-more"]
    assert asked["answer"] == "refuted", "asked for, the rehearsal is taken"
    assert asked["another_config"] == ["run.duration 1 s, now 10 s"]


def test_run_makes_anew_what_was_made_with_another_config(
    own: Path, tmp_path: Path, answered: Callable[..., Mapping[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, made = tmp_path / "runs", []
    other = CONFIG.replace("repeats = 4", "repeats = 3")
    planted(out, "own-memory-20260101T000000Z", both(5), name="own-memory", config_text=other)

    class Started:
        folder = out / "own-memory-20260102T000000Z"

        def __enter__(self) -> Started:
            return self

        def __exit__(self, *_: object) -> None:
            made.append(planted(out, self.folder.name, both(5, tensorflow=HEAVY), name="own-memory",
                                config_text=CONFIG))  # fmt: skip

        def wait(self) -> None: ...

    monkeypatch.setattr(running, "start_run", lambda *_, **__: Started())
    monkeypatch.setattr(running, "count_devices", lambda: 0)
    for _ in range(2):
        told = answered(own, "--out", out, "--run")["half-more"]
        assert (told["answer"], told["another_config"]) == ("supported", [])
        assert [side["trials"] for side in told["statements"][0]["sides"]] == [5, 5], "the old run is left out"
    assert len(made) == 1, "what is there is not made again"
