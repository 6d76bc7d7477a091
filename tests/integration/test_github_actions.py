"""The example for GitHub Actions: its own script, run by bash as a runner does, with a shorter time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.installed import need
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
LEAKS = """
import time
kept = []
while True:
    kept.append(b"x" * 1_000_000)
    time.sleep(0.02)
"""


def script(duration: str) -> str:
    need("yaml")
    import yaml

    steps = yaml.safe_load((ROOT / "examples" / "github-actions.yml").read_text())["jobs"]["soak"]["steps"]
    (found,) = (step["run"] for step in steps if step.get("name") == "Soak")
    assert "--duration 10min" in found
    return str(found.replace("--duration 10min", f"--duration {duration}"))


def ran(folder: Path, program: str, duration: str) -> tuple[int, str, ElementTree.Element]:
    """Exit code and output of the step, and the XML that it leaves."""
    (folder / "train.py").write_text(program)
    tools = folder / "bin"
    tools.mkdir()
    (tools / "soak").write_text(f'#!/bin/sh\nexec {sys.executable} -P -m soak "$@"\n')
    (tools / "soak").chmod(0o755)
    (tools / "python").symlink_to(shutil.which("python3") or sys.executable)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script(duration)], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=10 * PATIENCE,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.returncode, done.stdout, ElementTree.parse(folder / "soak.xml").getroot()


def test_a_leak_fails_the_job(tmp_path: Path) -> None:
    code, said, suite = ran(tmp_path, LEAKS, "40s")
    assert code == 1, said
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    (case,) = suite.iter("testcase")
    assert float(case.get("time", "0")) == pytest.approx(float(suite.get("time", "nan")))
    numbers = {each.get("name"): each.get("value") for each in case.iter("property")}
    assert numbers["verdict"] == "leak"
    assert list(tmp_path.glob("soak-runs/*/report.html"))


def test_what_cannot_be_told_is_a_warning(tmp_path: Path) -> None:
    code, said, suite = ran(tmp_path, "print('done')\n", "40s")
    assert code == 0, said
    assert "::warning::soak could not tell" in said
    assert suite.get("skipped") == "1"
