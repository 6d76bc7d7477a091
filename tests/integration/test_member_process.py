"""A program as it is started: what it reads, when it may run, and what becomes of it where it may not."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from soak.engine import member
from soak.engine.member import Home, MemberProcess
from soak.errors import SoakError
from soak.heartbeat import VARIABLE
from soak.plan.member import Member
from tests.patience import PATIENCE

GROUP: Any = SimpleNamespace(add=lambda _: None)
"""A cgroup that takes whoever comes."""
READS = "import sys; print(repr(sys.stdin.read()))"


def start(folder: Path, code: str, kind: type[MemberProcess] = MemberProcess, **home: Any) -> MemberProcess:
    program = Member("a", (sys.executable, "-c", code), protocol="none")
    return kind(program, 0, Home(folder, "mark", **home), 0.0)


def ended(process: MemberProcess) -> int:
    code = process._process.wait(PATIENCE)
    process.close()
    return code


class Lost(MemberProcess):
    """Whose supervisor dies before it lets it go."""

    def _first_words(self) -> bytes:
        return b""


def test_a_program_does_not_run_whose_supervisor_died_before_it_let_it_go(tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert ended(start(tmp_path, f"open({str(made)!r}, 'w')", Lost, cgroup=GROUP)) == 127
    assert not made.exists()


@pytest.mark.parametrize("home", [{}, {"cgroup": GROUP}], ids=["free", "in a cgroup"])
def test_a_program_has_nothing_to_read(tmp_path: Path, home: dict[str, Any]) -> None:
    process = start(tmp_path, READS, **home)
    assert ended(process) == 0
    assert (tmp_path / "worker.log").read_text() == "''\n"


def test_a_program_that_beats_too_fast_wakes_nobody_for_a_moment(tmp_path: Path) -> None:
    process = start(tmp_path, "import time; time.sleep(1000)")
    beats = process._beats
    assert beats is not None
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.settimeout(PATIENCE)
        out.connect(beats.environ()[VARIABLE])
        while not process.held_up:
            assert beats.fd in process.wakes(0.0)
            out.send(b"whatever it is")
            process.read(0.0)
        out.send(b"and this waits")
    assert beats.fd not in process.wakes(0.0), "the loop would find nothing to do, again and again"
    assert beats.fd in process.wakes(1.0)
    process.read(1.0)
    assert not process.held_up
    process.kill()
    ended(process)


def test_a_program_whose_memory_cannot_be_limited_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pids = []

    def refuse(pid: int, limit: int) -> None:
        pids.append(pid)
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(member, "limit_process", refuse)
    with pytest.raises(SoakError, match="its memory limit of 7 bytes cannot be set: not allowed to raise"):
        start(tmp_path, "import time; time.sleep(1000)", limit=7)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
