"""Orphans and lost cgroups are found: planted ones."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.torture import leftovers

DAEMON = """
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "613"])
    os._exit(0)
os.wait()
"""


def test_a_child_that_left_its_session_is_an_orphan() -> None:
    mark = f"planted-{os.getpid()}-{time.monotonic_ns()}"
    subprocess.run([sys.executable, "-c", DAEMON], env={**os.environ, leftovers.MARK: mark}, check=True)
    try:
        # Seen at once as a copy of its parent, and then as what it has become.
        leftovers.settled(lambda: "sleep 613" not in leftovers.processes(mark).values(), 30)
        assert list(leftovers.processes(mark).values()) == ["sleep 613"]
        assert leftovers.Glances(mark).look() == leftovers.processes(mark)
        assert leftovers.processes(mark[:-1]) == {}, "another mark"
    finally:
        leftovers.end_all(mark)
    assert leftovers.processes(mark) == {}


def test_a_cgroup_that_was_left_is_found(tmp_path: Path) -> None:
    for path in ("memory/a/b/soak-k1x2-20260101T000000Z-0", "unified/soak-k1x2-x-1", "memory/soak-k1x22-x-0"):
        (tmp_path / path).mkdir(parents=True)
    found = [Path(path).name for path in leftovers.cgroups("k1x2", tmp_path)]
    assert sorted(found) == ["soak-k1x2-20260101T000000Z-0", "soak-k1x2-x-1"]


def test_shared_memory_that_was_left_is_found(tmp_path: Path) -> None:
    (tmp_path / "psm_k1x2").touch()
    (tmp_path / "other").touch()
    assert leftovers.shared("k1x2", tmp_path) == [str(tmp_path / "psm_k1x2")]
    assert leftovers.shared("k1x2", tmp_path / "none") == []


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("python -P -m soak run c.toml --out runs", "supervisor"),
        ("python -P -S -E /x/soak/engine/guardian.py", "guardian"),
        ("python -P /x/workloads/worker/boot.py --fd 9 --stacks 8", "worker"),
        ("python -P /x/soak/start.py soak.engine.short_lived soak.judge.trial /x/runs/k 0", "judge"),
        ("python -P /x/soak/start.py soak run c.toml --live 9", "supervisor"),
        ("python -P -m soak report /x/runs/k", "report"),
        ("python -P -m soak serve --config soak.toml", "service"),
        ("python -P -m soak.engine.closing /x/runs/k", "closing"),
        ("sleep 600", "child"),
    ],
)
def test_roles(command: str, role: str) -> None:
    assert leftovers.role(command) == role
