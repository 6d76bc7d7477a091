"""A case that crashes or hangs is a result, and those after it are tried."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.torture import pool
from tests.torture.results import Case, load

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


def work(n: int) -> Case:
    if n == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if n == 2:
        time.sleep(600)
    return Case("x", 1, n, str(os.getpid()))


def lost(n: int, said: str) -> Case:
    return Case("x", 1, n, faults=[said])


def test_crashes_and_hangs_are_results() -> None:
    found = {case.n: case for case in pool.run(range(6), work, 2, 60.0, 2.0, lost)}
    assert sorted(found) == list(range(6))
    assert found[1].faults == ["crash: the process of the case died of SIGKILL"]
    assert found[2].faults == ["hang: not over after 2 s"]
    assert all(not found[n].faults for n in (0, 3, 4, 5))


def test_nothing_is_begun_after_the_time() -> None:
    assert list(pool.run(range(5), work, 1, -1.0, 1.0, lost)) == []


def test_the_command_goes_on_where_it_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.torture", "configs", "--jobs", "1", "--out", str(tmp_path / "out")]
    for rounds in ("2", "4"):
        subprocess.run([*command, "--rounds", rounds], cwd=ROOT, check=False, capture_output=True)
        assert [case.n for case in load([tmp_path / "out"])] == list(range(int(rounds)))
    told = subprocess.run([*command[:3], "report", str(tmp_path / "out")], cwd=ROOT, capture_output=True, text=True)
    assert "| mutated configs | 4 | 4 |" in told.stdout
