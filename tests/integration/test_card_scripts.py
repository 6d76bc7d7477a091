"""Scripts for machines with cards, with an interpreter that only notes what it is asked: a part takes none along."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.installed import ROOT
from tests.patience import PATIENCE

INTERPRETER = """#!/usr/bin/env bash
echo "$*" >>"$ASKED"
case "$*" in *"$FAILS"*) exit 4 ;; esac
for word in "$@"; do [ "${before:-}" != --out ] || out=$word; before=$word; done
[ -n "${out:-}" ] || exit 0
mkdir -p "$out/run-$$"
for name in report.html report.json record.sqlite; do echo "$$ $*" >"$out/run-$$/$name"; done
[ -z "${NAPS:-}" ] || exec python3 -c 'import time; time.sleep(600)'
exit "${VERDICT:-0}"
"""


class Machine:
    """A folder with that interpreter."""

    def __init__(self, folder: Path) -> None:
        self.out, self._asked, self._python = folder / "out", folder / "asked", folder / "python"
        self._python.write_text(INTERPRETER)
        self._python.chmod(0o755)

    def run(self, script: str, *words: str, **env: str) -> tuple[int, str]:
        """Exit status, and what it said."""
        own = {"PYTHON": str(self._python), "ASKED": str(self._asked), "FAILS": "nothing fails", **env}
        command = [str(ROOT / "benchmarks" / script), str(self.out), *words]
        ran = subprocess.run(
            command, env={**os.environ, **own}, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        return ran.returncode, ran.stdout + ran.stderr

    @property
    def asked(self) -> list[str]:
        return self._asked.read_text().splitlines() if self._asked.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_parts_after_one_that_fails_are_run_and_it_is_named(machine: Machine) -> None:
    code, said = machine.run("gpu_proof.sh", FAILS="gpu-torch.toml")
    assert (code, said.splitlines()[-1]) == (1, "failed: planted")
    parts = ("doctor", "benchmarks.gpu accounts", "benchmarks.ledger", "cost", "gpu-torch.toml", "overhead", "gpu.toml")
    assert all(any(part in words for words in machine.asked) for part in parts)
    assert all((machine.out / f"{name}.txt").exists() for name in ("doctor", "planted", "zoo"))


def test_the_zoo_of_tensorflow_is_run_whole_or_in_parts_and_the_latest_lies_in_its_folder(machine: Machine) -> None:
    assert machine.run("gpu_proof.sh", "zoo-tensorflow")[0] == 0
    assert machine.run("gpu_proof.sh", "zoo-tensorflow", ZOO="retrace tapes")[0] == 0
    whole, part = machine.asked
    assert "configs/gpu-tensorflow.toml --duration 40 s" in whole
    assert "--trial" not in whole
    assert "--trial retrace --trial tapes" in part
    for name in ("report.html", "report.json", "record.sqlite"):
        assert "--trial tapes" in (machine.out / "zoo-tensorflow-runs" / name).read_text()


def test_a_verdict_that_is_not_as_planted_fails_the_zoo_of_tensorflow_and_is_copied(machine: Machine) -> None:
    code, said = machine.run("gpu_proof.sh", "zoo-tensorflow", VERDICT="4")
    assert (code, said.splitlines()[-1]) == (1, "failed: zoo-tensorflow")
    assert (machine.out / "zoo-tensorflow-runs" / "report.json").exists()


def test_what_runs_at_the_limit_is_asked_to_end_and_what_comes_after_is_not_begun(machine: Machine) -> None:
    code, said = machine.run("gpu_proof.sh", "two", "zoo", LIMIT="3", NAPS="yes")
    assert (code, said.splitlines()[-1]) == (1, "failed: two zoo (not begun)")
    assert (machine.out / "two-runs" / "record.sqlite").exists()
    assert not any("gpu.toml" in words for words in machine.asked)


def test_an_experiment_that_did_not_run_is_no_record_and_takes_no_other_along(machine: Machine) -> None:
    code, said = machine.run("claims_on_cards.sh", "lanes", "xla", "long", "answer", FAILS="--experiment xla")
    assert (code, said.splitlines()[-1]) == (1, "failed: xla")
    assert [path.name.partition("-")[0] for path in machine.out.glob("*.sqlite")] == ["long"]
    lanes, answers = machine.asked[:2], machine.asked[-2:]
    assert [words.split()[-1] for words in lanes] == ["torch", "tensorflow"]
    assert all(f"{machine.out}/long-" in words for words in answers)


def test_a_framework_that_has_no_lanes_leaves_the_other_its_own(machine: Machine) -> None:
    code, said = machine.run("claims_on_cards.sh", "lanes", FAILS="--framework torch")
    assert (code, said.splitlines()[-1]) == (1, "failed: lanes")
    assert machine.asked[-1].endswith("--framework tensorflow")


@pytest.mark.parametrize("script", ["gpu_proof.sh", "claims_on_cards.sh"])
def test_a_part_that_there_is_not_is_told_before_anything_runs(machine: Machine, script: str) -> None:
    code, said = machine.run(script, "lanez")
    assert (code, said) == (2, "no part is named lanez\n")
    assert machine.asked == []
