"""A run started again from its record alone."""

import json
import sqlite3
import tomllib
from pathlib import Path
from typing import Any

import pytest

from soak.record.store import FILE
from tests.integration.conftest import Soak

pytestmark = pytest.mark.framework

CONFIG = """
[run]
name = "first"
duration = "10 min"
sample_interval = "0.5 s"
[[trial]]
name = "own"
workload = "own.py:Own"
framework = "none"
repeats = 2
[trial.env]
MALLOC_ARENA_MAX = "2"
[[trial]]
name = "never"
workload = "fault_hang"
framework = "torch"
"""
OWN = """
import time

class Own:
    def __init__(self, hidden):
        self.hidden = hidden

    def step(self):
        time.sleep(self.hidden / 1000)
"""


def settings(record: Path) -> list[dict[str, Any]]:
    with sqlite3.connect(record) as database:
        bodies = [json.loads(body) for (body,) in database.execute("SELECT body FROM trial ORDER BY id")]
    return [{name: body[name] for name in ("name", "seed", "block", "arm", "settings")} for body in bodies]


def test_a_run_is_started_again_from_its_record(soak: Soak) -> None:
    soak.config(CONFIG)
    (soak.folder / "own.py").write_text(OWN)
    chosen = ("--duration", "2 s", "--device", "cpu", "--trial", "own", "--set", "run.seed=5",
              "--set", "trial.0.options.hidden=8", "--set", 'trial.0.env.MALLOC_TRIM_THRESHOLD_="1000000"')  # fmt: skip
    code, said = soak.run("run", "soak.toml", *chosen)
    assert code == 3, said
    first = soak.run_folder()
    code, text = soak.run("export", first, "--config")
    assert code == 0
    assert tomllib.loads(text)["run"] == {
        "name": "first", "duration": "2 s", "sample_interval": "0.5 s", "seed": 5, "device": "cpu",
        "only": ["own"], "folder": str(soak.folder),
    }  # fmt: skip
    (soak.folder / "again.toml").write_text(text)
    code, said = soak.run("run", "again.toml", "--out", "again")
    assert code == 3, said
    [second] = (soak.folder / "again").iterdir()
    was, now = settings(first / FILE), settings(second / FILE)
    assert was == now
    assert len(was) == 2
    assert "MALLOC_ARENA_MAX=2, MALLOC_TRIM_THRESHOLD_=1000000" in was[0]["arm"]
