"""Both frameworks really run, repeated, and are compared: what is told of them is what is known to be so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.installed import need

pytestmark = pytest.mark.framework

CONFIG = """
[run]
name = "pair"
seed = 1
duration = "4 s"
sample_interval = "0.2 s"
repeats = 2

[stream]
fps = 25
height = 16
width = 16
clip_length = "set"
clip_frames = [8]

[[trial]]
workload = "recurrent"
mode = "infer"
"""


def soak(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "soak", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_two_frameworks_of_one_run_are_compared_pair_by_pair(tmp_path: Path) -> None:
    need("torch", "tensorflow")
    (tmp_path / "pair.toml").write_text(CONFIG)
    ran = soak("run", tmp_path / "pair.toml", "--out", tmp_path / "runs")
    assert ran.returncode in (0, 3), ran.stderr
    (run,) = (tmp_path / "runs").iterdir()
    page = tmp_path / "comparison.html"
    told = soak("compare", run, "--by", "framework", "--json", "--html", page)
    assert told.returncode == 0, told.stderr
    body = json.loads(told.stdout)
    assert [side["name"] for side in body["sides"]] == ["torch", "tensorflow"]
    (comparison,) = body["comparisons"]
    assert (comparison["first"], comparison["second"]) == ("tensorflow", "torch")
    found = {d["measure"]: d for d in comparison["differences"] if not d["group"]}
    for measure in ("peak_memory", "throughput", "latency_p50"):
        assert found[measure]["pairs"] == 2
        assert found[measure]["first"]["value"] > 0
        assert found[measure]["relative"]["ci95"] is not None
    assert found["restarts"]["trials"] == [2, 2]
    assert sum(trial["values"]["restarts"] for trial in comparison["trials"]) == 0
    assert len({trial["pair"] for trial in comparison["trials"]}) == 2
    assert [side["facts"]["oneDNN"] for side in body["sides"]] == [["on"], ["on"]], "as both are shipped"
    assert "oneDNN" not in {fact["name"] for fact in comparison["unequal"]}
    assert page.read_text().count("<svg role=") == len(comparison["differences"])
