"""A user's own code, soaked by the command line in an environment that holds no framework."""

from __future__ import annotations

import json
import subprocess
import venv
from pathlib import Path
from typing import Any

import pytest

from tests.installed import link_packages

OWN = """
import asyncio
import os
import time

kept = []


def leaks(items):
    for tick in items:
        kept.append(bytes(4000))
        yield {"loss": 0.5, "cached rows": len(kept), "queue": len(kept) % 7}


def ends():
    yield from range(300)


def reads():
    with open(__file__) as own:
        return len(own.read())


def fails():
    return 1 / 0


def leaves():
    raise SystemExit


def cancels():
    raise asyncio.CancelledError("no more")


def breaks():
    raise BrokenPipeError("of its own")


def interrupts():
    raise KeyboardInterrupt


def gives_up():
    raise GeneratorExit


def forks():
    # Its child goes on as if it were the worker.
    global forked
    time.sleep(0.01)
    if not forked:
        forked = True
        if os.fork() == 0:
            raise ValueError("of a child")


forked = False


def is_blocked():
    for name in ("torch", "tensorflow"):
        try:
            __import__(name)
        except ImportError:
            continue
        raise AssertionError(name)
"""


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """An interpreter of an environment that has what soak needs, and no framework."""
    venv.create(tmp_path / "env", symlinks=True, with_pip=False)
    (packages,) = (tmp_path / "env").glob("lib/python*/site-packages")
    link_packages(packages, "torch", "tensorflow", "keras", "jax")
    for part in ("soak", "workloads", "monitors", "reports"):
        (packages / part).symlink_to(Path(__file__).parents[2] / part)
    return tmp_path / "env" / "bin" / "python"


def soaked(bare: Path, folder: Path, *trials: str, **keys: Any) -> tuple[int, dict[str, dict[str, Any]]]:
    (folder / "own.py").write_text(OWN)
    tables = "".join(f'[[trial]]\nworkload = "own.py:{each}"\n' for each in trials)
    run = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    (folder / "own.toml").write_text(f'[run]\nsample_interval = "0.2 s"\nparallel = 2\n{run}{tables}')
    command = [str(bare), "-P", "-m", "soak", "run", "own.toml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    (report,) = folder.glob("runs/*/report.json")
    return done.returncode, {t["name"]: t for t in json.loads(report.read_text())["trials"]}


def test_each_way_to_end_is_told(bare: Path, tmp_path: Path) -> None:
    _, found = soaked(bare, tmp_path, "ends", "reads", "fails", "leaves", "is_blocked", duration="3 s")
    ends = {name: (trial["end_reason"], trial["end_message"]) for name, trial in found.items()}
    assert ends["own.ends"] == ("finished", "own.py:ends ended by itself after 300 steps")
    assert ends["own.reads"] == ("finished", "")
    assert ends["own.is_blocked"] == ("finished", "")
    assert ends["own.fails"][0] == "failed"
    assert "ZeroDivisionError" in ends["own.fails"][1]
    assert ends["own.leaves"][0] == "finished"
    assert found["own.reads"]["environment"]["framework"] == "none"
    assert "numpy" not in found["own.reads"]["environment"], "the process stays the user's"


def test_every_exception_is_told_with_its_name(bare: Path, tmp_path: Path) -> None:
    _, found = soaked(bare, tmp_path, "cancels", "breaks", "interrupts", "gives_up", duration="3 s")
    assert {name: (trial["end_reason"], trial["end_message"].partition(":")[0]) for name, trial in found.items()} == {
        "own.cancels": ("failed", "CancelledError"),
        "own.breaks": ("failed", "BrokenPipeError"),
        "own.interrupts": ("failed", "KeyboardInterrupt"),
        "own.gives_up": ("failed", "GeneratorExit"),
    }


def test_a_forked_child_does_not_speak_for_its_worker(bare: Path, tmp_path: Path) -> None:
    _, found = soaked(bare, tmp_path, "forks", duration="3 s")
    assert found["own.forks"]["end_reason"] == "finished"
    (log,) = tmp_path.glob("runs/*/trials/*/worker.log")
    assert "ValueError: of a child" in log.read_text()


def test_a_generator_that_leaks_is_found_and_its_own_counters_are_doses(bare: Path, tmp_path: Path) -> None:
    # Paced, so that it leaks at a rate that every machine reaches: 200 steps of 4 kB a second.
    text = '[stream]\nsource = "none"\ninterval = 0.005\n'
    (tmp_path / "own.py").write_text(OWN)
    config = f'[run]\nduration = "40 s"\nsample_interval = "0.2 s"\n{text}[[trial]]\nworkload = "own.py:leaks"\n'
    (tmp_path / "own.toml").write_text(config)
    command = [str(bare), "-P", "-m", "soak", "run", "own.toml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    (report,) = tmp_path.glob("runs/*/report.json")
    (trial,) = json.loads(report.read_text())["trials"]
    assert done.returncode == 1, done.stdout + done.stderr
    assert trial["verdict"] == "leak"
    assert trial["doses"]["cached_rows"] == trial["doses"]["steps"]
    assert "queue" not in trial["doses"], "what falls is a value, not a dose"
    assert {series["label"] for series in trial["series"] if series["metric"] == "program_value"} == {
        "cached_rows", "queue",
    }  # fmt: skip
    assert 3600 <= trial["rate"]["per_dose"]["cached_rows"] <= 4400
